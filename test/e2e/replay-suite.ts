/**
 * A batch is a replay, on real parts: beside a live run that has been through all faults, a replay is killed and goes on, and every stage gives the same again:
 * in Kafka, in a shadow schema and in a lake of its own. faults.e2e.test.ts has the run.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { BatchBuilder, RecordCursor } from '#topology';
import { readLake } from '../../connectors/parquet/lake.ts';
import { VERIFIED_TABLES } from '../../dev/verify/tables.ts';
import { shopStages } from '../../processors/index.ts';
import type { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const PARTITIONS = Array.from({ length: 6 }, (_, partition) => partition);

interface Certificate {
  readonly equal: boolean;
  readonly topics: readonly {
    topic: string;
    stage: string;
    kind: string;
    equal?: boolean;
    rows?: { rows: number };
    horizon: { upper: string | null };
  }[];
}

/** A run at rest, every row right. */
export interface FaultyRun {
  readonly shop: Installation;
  readonly roles: readonly RoleProcess[];
}

/** The suite; `of` is asked when it begins. */
export function replaySuite(of: () => FaultyRun): void {
  let shop: Installation;
  let folder: string;
  before(async () => {
    ({ shop } = of());
    folder = await mkdtemp(join(tmpdir(), 'sluice-replay-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const dir = (): string[] => ['--dir', join(folder, 'replays')];
  const env = (): NodeJS.ProcessEnv => ({ ...shop.env, SLUICE_LAKE: join(folder, 'lake') });

  async function positionSum(group: string): Promise<number> {
    const partitions = PARTITIONS.map((partition) => ({ topic: 'bronze.app.pageviews', partition }));
    const positions = await shop.admin.committedOffsets(group, partitions);
    return Number(positions.reduce((sum, { offset }) => sum + offset, 0n));
  }

  async function verify(id: string): Promise<{ code: number; output: string; certificate: Certificate }> {
    const { code, output } = await runRole('verify', ['--replay', id, ...dir()], env());
    const file = join(folder, 'replays', id, 'certificate.json');
    return { code, output, certificate: JSON.parse(await readFile(file, 'utf8')) as Certificate };
  }

  /** Writes the last record of a partition again, a millisecond later: no stage has written that. */
  async function rewriteLast(topic: string): Promise<string> {
    const cursor = new RecordCursor();
    const reader = await shop.client.reader({ committed: true });
    for (const partition of PARTITIONS) reader.seek({ topic, partition }, 'earliest');
    let found: { partition: number; key: Buffer | null; batch: BatchBuilder } | undefined;
    await until('a record', 30_000, async () => {
      for (const { partition, batches } of await reader.poll(100)) {
        const last = batches.at(-1);
        if (last === undefined) continue;
        cursor.open(last);
        if (!cursor.next()) continue;
        const batch = new BatchBuilder();
        batch.append(cursor.keyBytes(), cursor.valueBytes(), cursor.timestamp + 1, cursor.headers());
        found ??= { partition, key: Buffer.from(cursor.keyBytes() ?? ''), batch };
      }
      return found !== undefined;
    });
    await reader.close();
    assert.ok(found !== undefined);
    const producer = await shop.client.producer();
    await producer.send([{ topic, partition: found.partition, batch: found.batch }]);
    await producer.close();
    return found.key?.toString() ?? '';
  }

  async function tableRows(sql: string): Promise<number> {
    const client = new Client({ connectionString: shop.env['SLUICE_POSTGRES'] });
    await client.connect();
    const { rows } = await client.query<{ n: string }>(sql);
    await client.end();
    return Number(rows[0]?.n ?? 0);
  }

  test('every stage gives what live gave; a changed record is named; a dropped replay leaves nothing', async () => {
    const { roles } = of();
    const command = ['all', '--into', 'v2', ...dir()];
    const stopped = shop.role('replay', command);
    await until('the replay begins', 60_000, async () => (await shop.logOf('replay')).includes('replay started'));
    await stopped.stop();
    assert.match(await shop.logOf('replay'), /replay (stopped: .* goes on from here|done)/);
    const killed = shop.role('replay', command);
    await until('the first commits of the replay', 60_000, async () => (await positionSum('shop.replay.v2')) > 0);
    await killed.kill();
    const percent = (await positionSum('shop.replay.v2')) / (await positionSum('shop'));
    const resumed = await runRole('replay', command, env());
    process.stderr.write(`killed when ${Math.round(100 * percent)} % were committed\n${resumed.output}\n`);
    assert.equal(resumed.code, 0, resumed.output);

    const listed = await runRole('replay', ['--list', '--json'], env());
    const { id, finishedAt } = JSON.parse(listed.output) as { id: string; finishedAt: string | null };
    assert.ok(id === 'v2' && finishedAt !== null, listed.output);

    const { code, output, certificate } = await verify('v2');
    process.stderr.write(`${output}\n`);
    assert.equal(code, 0, output);
    assert.ok(certificate.equal);
    assert.equal(new Set(certificate.topics.map(({ stage }) => stage)).size, shopStages.length);
    for (const { topic, equal, kind, rows, horizon } of certificate.topics) {
      assert.equal(equal, true, topic);
      assert.equal(horizon.upper, 'all', topic);
      const fewest = VERIFIED_TABLES.find(({ name }) => name === topic)?.fewest ?? 20;
      if (kind === 'records' || kind === 'table')
        assert.ok((rows?.rows ?? 0) >= fewest, `${topic}: ${rows?.rows} rows`);
    }
    const shadow = await tableRows('select count(*) n from silver_v2.purchases_enriched');
    assert.ok(shadow > 0);
    const lake = await readLake(join(folder, 'lake', 'replays', 'v2'), 'silver.purchases_enriched.v2');
    assert.ok(lake.flatMap(({ files }) => files).length > 0);

    const shared = await runRole('replay', ['all', '--into', 'w2', '--workers', '2', ...dir()], env());
    process.stderr.write(`${shared.output}\n`);
    assert.equal(shared.code, 0, shared.output);
    assert.match(shared.output, /replay done: id w2/);
    const { code: sharedCode, output: sharedOutput, certificate: sharedCertificate } = await verify('w2');
    assert.equal(sharedCode, 0, sharedOutput);
    assert.ok(sharedCertificate.topics.every(({ equal, horizon }) => equal === true && horizon.upper === 'all'));
    assert.equal((await runRole('replay', ['--drop', 'w2', '--yes', ...dir()], env())).code, 0);

    const other = await runRole('replay', ['gold.sales_perf_24h', '--into', 'v2', ...dir()], env());
    assert.equal(other.code, 2);
    assert.match(other.output, /SLC_REPLAY_CHANGED/);

    const key = await rewriteLast('silver.users.v2');
    const changed = await verify('v2');
    assert.equal(changed.code, 1);
    assert.ok(changed.output.includes(`silver.users: extra key ${key}`), changed.output);

    const dropped = await runRole('replay', ['--drop', 'v2', '--yes', ...dir()], env());
    assert.equal(dropped.code, 0, dropped.output);
    const left = (await shop.admin.listTopics()).filter((topic) => /\b[vw]2\b/.test(topic));
    assert.deepEqual(left, []);
    assert.equal(await tableRows("select count(*) n from pg_namespace where nspname like '%\\_v2'"), 0);
    for (const role of roles) assert.ok(role.running, `${role.name} has ended`);
  });
}
