/** One run of the benchmark of latency, over a broker in memory, with an engine of the test's own: rows that are missing, wrong or doubled are found out. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchBuilder, type KafkaClient } from '#topology';
import { FakeKafka } from '#topology/testing';
import { enrichedRows, expectedEnriched } from '../../../dev/bench/expected.ts';
import { isRight, type LatencyRun } from '../../../dev/bench/latency-report.ts';
import { measureLatency } from '../../../dev/bench/latency-run.ts';
import { PARTITIONS } from '../../../dev/bench/workload.ts';

const RECORDS = 1_000;
const RATE = 5_000;
/** A process that does nothing: the engine is in the test. */
const IDLE = [process.execPath, '-e', 'setInterval(() => {}, 1000)'];

let folder = '';
before(async () => void (folder = await mkdtemp(join(tmpdir(), 'sluice-latency-'))));
after(() => rm(folder, { recursive: true, force: true }));

/** Writes the row of each record once the record is there: as often, and with such bytes, as `spoil` says. */
async function engine(
  client: KafkaClient,
  done: AbortSignal,
  spoil: (row: Buffer, nth: number) => Buffer[],
): Promise<void> {
  const admin = await client.admin();
  const topicLike = async (start: string): Promise<string> => {
    for (;;) {
      const found = (await admin.listTopics()).find((topic) => topic.startsWith(start));
      if (found !== undefined || done.aborted) return found ?? '';
      await sleep(1);
    }
  };
  const [input, output] = [await topicLike('in.latency-'), await topicLike('out.latency-')];
  const inputs = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: input, partition }));
  const producer = await client.producer();
  let there = 0;
  for (const [nth, row] of [...enrichedRows({ records: RECORDS })].entries()) {
    while (there <= nth && !done.aborted) {
      const ends = await admin.offsets(inputs, { committed: false });
      there = ends.reduce((sum, { end }) => sum + Number(end), 0);
      if (there <= nth) await sleep(1);
    }
    if (done.aborted) return;
    const batch = new BatchBuilder();
    for (const each of spoil(row, nth)) batch.append(null, each, 1);
    if (batch.count > 0) await producer.send([{ topic: output, partition: nth % PARTITIONS, batch }]);
  }
}

async function runWith(spoil: (row: Buffer, nth: number) => Buffer[]): Promise<LatencyRun> {
  const client = new FakeKafka().client();
  const done = new AbortController();
  const writing = engine(client, done.signal, spoil);
  try {
    return await measureLatency({
      client,
      engine: 'sluice',
      command: IDLE,
      env: {},
      rate: RATE,
      records: RECORDS,
      warmup: 700,
      expected: expectedEnriched({ records: RECORDS }),
      stuckMs: 300,
      folder,
      signal: done.signal,
    });
  } finally {
    done.abort();
    await writing;
    await client.close();
  }
}

describe('a run', { timeout: 60_000 }, () => {
  test('with every row once is right, and has a time for each record behind the warm-up', async () => {
    const run = await runWith((row) => [row]);
    assert.equal(isRight(run), true, JSON.stringify(run));
    assert.equal(run.measured, RECORDS - 700);
    assert.ok(run.p50 >= 0 && run.p50 <= run.p99 && run.p99 <= run.max, JSON.stringify(run));
  });

  test('with a missing row is wrong, and tells how many', async () => {
    const run = await runWith((row, nth) => (nth === 950 ? [] : [row]));
    assert.equal(isRight(run), false);
    assert.equal(run.missing, 1);
  });

  test('with a row that is missing in the warm-up is wrong too', async () => {
    const { missing, checksumOk } = await runWith((row, nth) => (nth === 650 ? [] : [row]));
    assert.deepEqual({ missing, checksumOk }, { missing: 0, checksumOk: false });
  });

  test('with a wrong byte is wrong', async () => {
    const run = await runWith((row, nth) => {
      const last = row.length - 1;
      if (nth === 900) row[last] = (row[last] ?? 0) ^ 1;
      return [row];
    });
    assert.deepEqual([run.missing, run.checksumOk], [0, false]);
  });

  test('with a row twice is wrong', async () => {
    const run = await runWith((row, nth) => (nth === 900 ? [row, row] : [row]));
    assert.deepEqual([run.missing, run.checksumOk], [0, false]);
  });
});

test('an engine that ends by itself is an error', { timeout: 30_000 }, async () => {
  const client = new FakeKafka().client();
  const common = { client, engine: 'sluice', env: {}, rate: RATE, records: RECORDS, warmup: 0, expected: '' } as const;
  const signal = AbortSignal.timeout(20_000);
  await assert.rejects(
    measureLatency({ ...common, command: [process.execPath, '-e', '0'], folder, signal }),
    /ended by itself/,
  );
  await assert.rejects(measureLatency({ ...common, command: ['no-such-command'], folder, signal }), /ended by itself/);
  await client.close();
});
