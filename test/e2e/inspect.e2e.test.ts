/** What metrics, `sluice lag` and `sluice topics` say of a real run is what is in the topics. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { buildTopology } from '#topology';
import { shopStages } from '../../processors/index.ts';
import { warehouseTopics } from '../../processors/sinks/warehouse.ts';
import { answer, sluice } from '../bin/cli.ts';
import { parseExposition } from '../connectors/prometheus/parse.ts';
import { undocumented } from '../docs/fields.ts';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const SIMULATION = ['--seconds', '12', '--seed', '11'];
process.env['SLUICE_METRICS_PORT'] = '0';

interface Lag {
  readonly stages: readonly {
    readonly stage: string;
    readonly behind: number;
    readonly watermark: string | null;
    readonly heldBackBy: { readonly writer: string | null } | null;
  }[];
  readonly sinks: readonly { readonly sink: string; readonly behind: number }[];
  readonly problems: readonly unknown[];
}

describe('looking into a real run', { timeout: 6 * 60_000 }, () => {
  let shop: Installation;
  let roles: RoleProcess[];

  const role = (name: string): RoleProcess => roles.find((each) => each.name === name) ?? assert.fail(name);
  const get = (name: string, path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${role(name).metricsPort}${path}`);
  const scrape = async (name: string): Promise<Map<string, number>> =>
    parseExposition(await (await get(name, '/metrics')).text());

  before(async () => {
    shop = await Installation.start();
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    roles = ['sources', 'run', 'sinks'].map((name) => shop.role(name));
    await Promise.all(roles.map((each) => each.ready()));
    const simulate = shop.role('simulate', SIMULATION);
    await until('the simulator', 120_000, () => simulate.done);
    const verified = await runRole('verify', ['--min-rows', '1', '--timeout', '100'], shop.env);
    assert.equal(verified.code, 0, verified.output);
  });
  after(() => shop.close());

  async function counted(): Promise<Map<string, number>> {
    const { topics } = answer<{ topics: { name: string; records: number }[] }>(
      await sluice(['topics', '--count', '--json', '--timeout', '50'], shop.env),
    );
    return new Map(topics.map(({ name, records }) => [name, records]));
  }

  test('counters are the records that lie in the topics', async () => {
    const records = await counted();
    const sum = (names: readonly string[]): number =>
      names.reduce((total, name) => total + (records.get(name) ?? 0), 0);
    const of = (prefix: string): string[] =>
      [...records.keys()].filter((name) => name.startsWith(prefix) && !name.endsWith('.dlq'));
    const total = (samples: Map<string, number>, name: string): number =>
      [...samples].reduce((all, [id, value]) => (id.startsWith(`${name}{`) ? all + value : all), 0);
    const sources = await scrape('sources');
    assert.equal(sources.get('sluice_cdc_records_total'), sum(of('bronze.shop.')));
    const collected = [...of('bronze.app.'), ...of('bronze.ops.')];
    assert.equal(total(sources, 'sluice_collector_events_total'), sum(collected));
    assert.ok(sum(collected) > 3_000);
    for (const writer of ['cdc.shop', 'collector']) {
      // One per partition of each topic.
      const hints = sources.get(`sluice_hints_total{writer=${writer}}`) ?? 0;
      assert.ok(hints >= 24 && hints % 6 === 0, `${writer}: ${hints} hints`);
    }
    assert.ok(total(sources, 'sluice_cdc_binlog_position_bytes') > 0);
    assert.ok((sources.get('sluice_collector_requests_total{status=200}') ?? 0) > 0);
    const rejected = [...records.keys()].filter((name) => /^bronze\.(app|ops)\..*\.dlq$/.test(name));
    assert.equal(sources.get('sluice_collector_rejected_total'), sum(rejected));

    const run = await scrape('run');
    const topology = buildTopology(shopStages, { app: 'shop' });
    for (const { name } of topology.stages) {
      const subs = topology.subTopologies.filter((sub) => sub.stage === name);
      // Repartition topics are trimmed behind what is read: what stages without one read is what lies there.
      if (subs.length === 1) {
        const read = subs.flatMap((sub) => sub.sources.map(({ topic }) => topic.name));
        assert.equal(run.get(`sluice_stage_records_total{stage=${name}}`), sum(read), name);
      }
      assert.equal(run.get(`sluice_stage_late_total{stage=${name}}`), sum([`${name}.late`]), name);
      assert.equal(run.get(`sluice_stage_dead_letters_total{stage=${name}}`), sum([`${name}.dlq`]), name);
    }
    assert.equal(run.get('sluice_slots'), 6);
    const stateOf = (name: string, store: string): number =>
      run.get(`sluice_state_bytes{stage=${name},store=${store}}`) ?? 0;
    assert.ok(stateOf('silver.purchases_enriched', 'purchases-items') > 1_000);
    const held = [...run.keys()].filter((id) => id.startsWith('sluice_stage_held_back{'));
    assert.equal(held.length, topology.stages.length);
    for (const id of held) assert.match(id, /,?writer=(cdc\.shop|collector)[,}]/);
    assert.equal(run.get('sluice_commit_seconds_count'), run.get('sluice_commits_total'));
    assert.ok((run.get('sluice_commits_total') ?? 0) > 10);

    const sinks = await scrape('sinks');
    assert.equal(sinks.get('sluice_sink_rows_total{sink=warehouse}'), sum(warehouseTopics.map(({ name }) => name)));
    assert.deepEqual(
      ['lag_records', 'lag_seconds', 'waiting'].map((name) => sinks.get(`sluice_sink_${name}{sink=warehouse}`)),
      [0, 0, 0],
    );
  });

  test('lag: nothing is left, and every stage says who tells its time', async () => {
    const lag = answer<Lag>(await sluice(['lag', '--json'], shop.env));
    assert.deepEqual(undocumented('lag', lag), []);
    const { stages, sinks, problems } = lag;
    assert.deepEqual([stages.length, problems], [6 * shopStages.length, []]);
    for (const { stage, behind, watermark, heldBackBy } of stages) {
      assert.deepEqual([behind, watermark === null, heldBackBy?.writer === undefined], [0, false, false], stage);
    }
    assert.deepEqual([sinks.length > 0, sinks.filter(({ behind }) => behind > 0)], [true, []]);
  });

  test('health: all are ready; a capture whose database is gone says so', async () => {
    for (const name of ['sources', 'run', 'sinks']) {
      await until(`${name} to be ready`, 30_000, async () => (await get(name, '/readyz')).status === 200);
      assert.equal((await get(name, '/healthz')).status, 200, name);
    }
    await shop.servers.kill('mysql');
    await until(
      'the capture to say what is wrong',
      60_000,
      async () => (await get('sources', '/healthz')).status === 503,
    );
    const { problems } = (await (await get('sources', '/healthz')).json()) as { problems: Record<string, string> };
    assert.deepEqual(Object.keys(problems), ['cdc.shop']);
  });
});
