/**
 * Looking into a real run: what the dashboard in Chromium, metrics, `sluice lag` and `sluice topics` say is what is in the topics; and the dashboard outlives
 * what it looks at.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { buildTopology } from '#topology';
import { shopStages } from '../../processors/index.ts';
import { warehouseTopics } from '../../processors/sinks/warehouse.ts';
import { topics } from '../../processors/topics.ts';
import { answer, sluice } from '../bin/cli.ts';
import { parseExposition } from '../connectors/prometheus/parse.ts';
import { ask, becomes, needs, openPage, startBrowser, texts } from '../dashboard/browser.ts';
import { undocumented } from '../docs/fields.ts';
import { documentsSuite } from './documents-suite.ts';
import { eraseSuite } from './erase-suite.ts';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';
import { Wire } from './wire.ts';

const SIMULATION = ['--seconds', '12', '--seed', '11'];
/** The simulator has to start, and three stages to pass records on. */
const FLOW_MS = 180_000;
const SINKS = ['warehouse', 'lake-bronze', 'lake-silver', 'lake-gold'];
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

describe('looking into a real run', { timeout: 14 * 60_000 }, () => {
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
  });
  after(async () => {
    await browser?.close();
    wire?.cut();
    await shop.close();
  });

  let simulation: Promise<void> | undefined;
  /** Records through all of it, every row right. Once: who comes later waits for the same. */
  const simulate = (): Promise<void> =>
    (simulation ??= (async () => {
      const simulator = shop.role('simulate', SIMULATION);
      await until('the simulator', 180_000, () => simulator.done);
      const verified = await runRole('verify', ['--min-rows', '8', '--timeout', '150'], shop.env);
      assert.equal(verified.code, 0, verified.output);
    })());

  let browser: Browser | undefined;
  let wire: Wire;
  let page: Page;
  let problems: readonly string[] = [];
  const part = (name: string, state: string): string =>
    `document.querySelector('[data-part="${name}"]')?.dataset.state === '${state}'`;
  const rate = (node: string): string =>
    `parseFloat(document.querySelector('[data-node="${node}"] .rate')?.textContent) > 0`;
  const skip = needs !== undefined;
  const named = (text: string): string => `${text}${needs === undefined ? '' : ` (${needs})`}`;

  describe(named('the dashboard of a real run'), { skip }, () => {
    before(async () => {
      const postgres = new URL(shop.env['SLUICE_POSTGRES'] ?? '');
      wire = new Wire(postgres);
      await wire.mend();
      postgres.port = String(wire.port);
      const dashboard = shop.role('dashboard', [], {
        ...shop.env,
        SLUICE_POSTGRES: postgres.href,
        SLUICE_DASHBOARD_PORT: '0',
      });
      await dashboard.ready();
      browser = await startBrowser();
      ({ page, problems } = await openPage(browser, dashboard.address ?? ''));
      await becomes(page, part('Kafka', 'up'));
    });

    test('the whole topology is there before any record', async () => {
      await becomes(page, part('Stages', 'up'));
      const bronze = Object.values(topics.bronze).flatMap((each) => Object.values(each)).length;
      const nodes = await texts(page, '.node title');
      process.stderr.write(`dashboard: ${nodes.length} nodes, ${(await texts(page, '.edge')).length} edges\n`);
      assert.equal(nodes.length, bronze + shopStages.length + SINKS.length);
      assert.deepEqual(await texts(page, '.band text'), ['BRONZE', 'SILVER', 'GOLD', 'SINKS']);
    });

    test('records flow: rates move from bronze to gold', async () => {
      const seen = [
        'source bronze.app.pageviews',
        'stage silver.pageviews_by_items',
        'stage gold.pageviews_by_channel',
      ].map((node) => becomes(page, rate(node), FLOW_MS));
      const simulated = simulate();
      await Promise.all(seen);
      await becomes(page, `document.querySelector('.edge.flows') !== null`);
      await simulated;
      await becomes(
        page,
        `[...document.querySelectorAll('#stages tr')].slice(0, ${shopStages.length}).every((row) => row.children[3].textContent === '0')`,
      );
    });

    test('late records and dead letters are those that the commands count', async () => {
      interface Counted {
        readonly late: readonly { readonly count: number }[];
        readonly letters: readonly { readonly count: number }[];
      }
      const { late } = answer<Counted>(await sluice(['late', 'list', '--json'], shop.env));
      const { letters } = answer<Counted>(await sluice(['dlq', 'list', '--json'], shop.env));
      const sum = (counts: readonly { readonly count: number }[]): number =>
        counts.reduce((all, { count }) => all + count, 0);
      assert.ok(sum(late) > 0 && sum(letters) > 0);
      const tile = (title: string): string =>
        `[...document.querySelectorAll('.tile')].find((each) => each.textContent.startsWith('${title}')).querySelector('.value').textContent.replaceAll(',', '')`;
      await becomes(page, `${tile('Late records')} === '${sum(late)}'`);
      await becomes(page, `${tile('Dead letters')} === '${sum(letters)}'`);
      assert.equal((await texts(page, '#aside tr')).length, late.length + letters.length);
    });

    test('watermarks with those who hold them back; gold rows with their charts', async () => {
      for (const row of await texts(page, '#stages tr:nth-child(-n + 4)'))
        assert.match(row, /\d\d:\d\d:\d\d.*(cdc\.shop|collector|silver\.)/);
      for (const table of ['pageviews_by_channel', 'registrations_hourly', 'sales_perf_24h']) {
        await becomes(page, `document.querySelectorAll('[data-table="gold.${table}"] tbody tr').length > 0`);
        await becomes(page, `document.querySelectorAll('[data-table="gold.${table}"] .mark').length > 0`);
      }
    });
  });

  describe('metrics and commands', () => {
    before(() => simulate());

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
  });

  describe('the commands of the documents', () => {
    before(() => simulate());
    documentsSuite(() => shop);
  });

  describe('erasing users', () => {
    before(() => simulate());
    const restart = async (name: string): Promise<void> => {
      const again = shop.role(name);
      roles = [...roles.filter((each) => each.name !== name), again];
      await again.ready();
    };
    eraseSuite(() => ({ shop, role, restart }));
  });

  describe('a database that is away', () => {
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

  describe(named('a dashboard and parts that are away'), { skip }, () => {
    test('PostgreSQL goes and comes: the page says so, and shows the rest meanwhile', async () => {
      wire.cut();
      await becomes(page, part('PostgreSQL', 'down'));
      await becomes(page, `document.querySelector('[data-node="sink warehouse"]').dataset.state === 'down'`);
      assert.equal(await ask(page, part('Kafka', 'up')), true);
      assert.ok((await texts(page, '.card tbody tr')).length > 0, 'the last rows stay');
      await wire.mend();
      await becomes(page, part('PostgreSQL', 'up'));
      await becomes(page, `document.querySelector('[data-node="sink warehouse"]').dataset.state === 'ok'`);
    });

    test('stages that nobody runs are said to be down', async () => {
      await role('run').stop();
      await becomes(page, part('Stages', 'down'));
      await shop.role('run').ready();
      await becomes(page, part('Stages', 'up'));
    });

    test('Kafka goes and comes', async () => {
      await shop.servers.kill('kafka');
      await becomes(page, part('Kafka', 'down'), FLOW_MS);
      assert.equal(await ask(page, part('PostgreSQL', 'up')), true);
      await shop.servers.revive('kafka');
      await becomes(page, part('Kafka', 'up'), FLOW_MS);
      assert.deepEqual(problems, []);
    });
  });
});
