/**
 * The whole way on real parts, with a kill -9 of the topology in the middle of a transaction, and of the sinks in the middle of their writes: MySQL and
 * events -> Kafka -> stages -> PostgreSQL, the lake and PostHog (a capture server in its place, which fails meanwhile); then every row of every table
 * against its oracle over the lake, of the lake against its topics, and every event against bronze and gold.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { RecordCursor, type TopicPartition } from '#topology';
import { VERIFIED_TABLES } from '../../dev/verify/tables.ts';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const SECONDS = 30;
const EVENTS = SECONDS * 1_000;
const CHANGES = SECONDS * 100;
const PARTITIONS = Array.from({ length: 6 }, (_, partition) => partition);
const OUTPUTS = VERIFIED_TABLES.map(({ name }) => name);
const LEDGER = 'shop.watermarks';
const MAX_KILLS = 6;
/** With a flash sale of 6 s of event time in the middle; one of 60 s is in flash-sale.long.test.ts. */
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '7', '--flash-sale', '6'];

describe('the whole way', { timeout: 8 * 60_000 }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start({ capture: true });
  });
  after(() => shop.close());

  const outputs: readonly TopicPartition[] = [
    { topic: LEDGER, partition: 0 },
    ...OUTPUTS.flatMap((topic) => PARTITIONS.map((partition) => ({ topic, partition }))),
  ];

  /** Partitions in which a transaction is open now. */
  async function open(): Promise<TopicPartition[]> {
    const [stable, high] = await Promise.all([
      shop.admin.offsets(outputs, { committed: true }),
      shop.admin.offsets(outputs, { committed: false }),
    ]);
    return outputs.filter((_, i) => (stable[i]?.end ?? 0n) < (high[i]?.end ?? 0n));
  }

  async function positionSum(): Promise<bigint> {
    const partitions = PARTITIONS.map((partition) => ({ topic: 'bronze.app.pageviews', partition }));
    const positions = await shop.admin.committedOffsets('shop', partitions);
    return positions.reduce((sum, { offset }) => sum + offset, 0n);
  }

  async function count(tp: TopicPartition, committed: boolean): Promise<number> {
    const reader = await shop.client.reader({ committed });
    const cursor = new RecordCursor();
    reader.seek(tp, 'earliest');
    let records = 0;
    for (let atEnd = false; !atEnd;) {
      for (const { batches, nextOffset, endOffset } of await reader.poll(100)) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) records++;
        }
        atEnd = nextOffset >= endOffset;
      }
    }
    await reader.close();
    return records;
  }

  /** Files of the lake that are just being written. */
  async function beingWritten(): Promise<number> {
    const names = await readdir(shop.lake, { recursive: true }).catch(() => []);
    return names.filter((name) => name.endsWith('.tmp')).length;
  }

  /** Files that no entry of a log has ever named. */
  async function neverCommitted(): Promise<string[]> {
    const names = await readdir(shop.lake, { recursive: true });
    const entries = names.filter((name) => name.endsWith('.json'));
    const logs = (await Promise.all(entries.map((name) => readFile(join(shop.lake, name), 'utf8')))).join();
    return names.filter((name) => /\.(parquet|tmp)$/.test(name) && !logs.includes(basename(name)));
  }

  /** Kills the sinks while files of the lake lie there uncommitted and PostgreSQL has rows to come; what they left behind. */
  async function killInWrite(sinks: RoleProcess): Promise<string[]> {
    await until('a file of the lake that is being written, and rows on their way to PostgreSQL', 30_000, async () => {
      const lag = sinks.stats.sinks?.find(({ name }) => name === 'warehouse')?.lagRecords ?? 0;
      return lag > 0 && (await beingWritten()) > 0;
    });
    await sinks.kill();
    return await neverCommitted();
  }

  /** The capture server answers so for a while. */
  async function fail(how: { readonly status: number; readonly forMs: number }): Promise<void> {
    const answer = await fetch(`${shop.postHog}/_fail`, { method: 'POST', body: JSON.stringify(how) });
    assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
  }

  /** Kills the topology while a transaction is open; the successor's fencing aborts it. */
  async function killInTransaction(run: RoleProcess): Promise<bigint> {
    await until('an open transaction', 30_000, async () => (await open()).length > 0);
    await run.kill();
    return await positionSum();
  }

  test('kill -9 within a transaction: no duplicate, no hole, every row as the oracles say', async () => {
    // Captured from the start on: the shop is seeded and its clock set before.
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    const capture = shop.startCapture();
    const sources = shop.role('sources');
    let run = shop.role('run');
    let sinks = shop.role('sinks');
    await Promise.all([capture.ready(), sources.ready(), run.ready(), sinks.ready()]);
    const simulate = shop.role('simulate', SIMULATION);
    const progress = async (): Promise<number> => Number(await positionSum()) / EVENTS;
    await until('a fifth of the events', 120_000, async () => (await progress()) > 0.2);
    await fail({ status: 503, forMs: 4_000 });
    // What is being written when it is looked at may be committed when the signal arrives.
    let left: readonly string[] = [];
    for (let kills = 0; left.length === 0 && kills < MAX_KILLS; kills++) {
      left = await killInWrite(sinks);
      sinks = shop.role('sinks');
    }
    assert.ok(left.length > 0, `nothing was being written to the lake at ${MAX_KILLS} kills of the sinks`);
    await until('a third of the events', 120_000, async () => (await progress()) > 0.3);

    const killedAt: bigint[] = [];
    let aborted: TopicPartition | undefined;
    while (aborted === undefined && killedAt.length < MAX_KILLS && (await progress()) < 0.6) {
      killedAt.push(await killInTransaction(run));
      const victims = await open();
      run = shop.role('run');
      await until(
        'the slots taken again',
        60_000,
        () => run.stats.slots?.length === PARTITIONS.length && (run.stats.commits ?? 0) > 0,
      );
      for (const tp of victims) if ((await count(tp, false)) > (await count(tp, true))) aborted ??= tp;
    }
    assert.ok(aborted !== undefined, `no transaction was aborted by ${killedAt.length} kills`);
    const restored = run.stats.restored ?? 0;
    assert.ok(restored > 0, 'no state was restored');

    await until('the simulator', 180_000, () => simulate.done);
    assert.equal(await simulate.exited(), 0);
    assert.ok((simulate.stats.events ?? 0) >= EVENTS, `only ${simulate.stats.events} events`);
    assert.ok((simulate.stats.changes ?? 0) >= CHANGES, `only ${simulate.stats.changes} changes`);

    const verified = await runRole(
      'verify',
      ['--timeout', '300', '--lake', shop.lake, '--manifest', shop.manifest, '--posthog', shop.postHog],
      shop.env,
    );
    process.stderr.write(`${verified.output}\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');

    const total = await positionSum();
    for (const position of killedAt) {
      const percent = Number((position * 100n) / total);
      assert.ok(percent >= 20 && percent <= 80, `killed when ${percent} % of the input was committed`);
    }
    const where = `${aborted.topic}-${aborted.partition}`;
    assert.match(verified.output, /bronze\.app\.pageviews +lake/, 'the lake was not verified');
    process.stderr.write(
      `sinks killed with ${left.length} files of the lake uncommitted\n${killedAt.length} kills, aborted records in ${where}, ${restored} changelog records restored\n`,
    );
    for (const role of [capture, sources, run, sinks]) assert.ok(role.running, `${role.name} has ended`);
  });
});
