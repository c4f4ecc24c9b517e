/** The PostHog sink over a real Kafka: the server fails in every way in turns while records flow and the process is killed twice. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { BatchBuilder, createKafkaClient } from '#topology';
import type { Failure } from '../../../dev/posthog/failures.ts';
import { PARTITIONS } from '../postgres/flow.ts';
import { makeCapture, silent, uuidOf } from './harness.ts';

const child = new URL('kafka-child.ts', import.meta.url);
const FAILING_MS = process.env['SLUICE_TEST_LONG'] === '1' ? 30_000 : 9_000;
const POISON = 17;

function broker(): string {
  const address = process.env['SLUICE_TEST_KAFKA'];
  if (address === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: `npm test` starts the parts and sets it');
  return address;
}

const ways: Omit<Failure, 'forMs'>[] = [
  { status: 500 },
  { status: 503 },
  { status: 429, retryAfter: 1 },
  { status: 'reset' },
  { status: 'hang' },
  // Taken, and the answer is lost: what makes it be sent again.
  { status: 'reset', taken: true },
  { status: 500, taken: true },
];

test('PostHog fails in turns and the sink is killed: every event is there', { timeout: 180_000 }, async (t) => {
  const name = `gold.events-${randomBytes(5).toString('hex')}`;
  const capture = await makeCapture();
  const client = createKafkaClient({ brokers: [broker()], clientId: 'posthog-test-writer', logger: silent });
  const admin = await client.admin();
  await admin.ensureTopics([{ name, partitions: PARTITIONS }]);
  const producer = await client.producer();
  const alive = new Set<ChildProcess>();
  const begin = async (): Promise<ChildProcess> => {
    const process = fork(child, [`url=${capture.url}`, `brokers=${broker()}`, `name=${name}`]);
    alive.add(process);
    process.once('exit', () => alive.delete(process));
    await Promise.race([
      once(process, 'message'),
      once(process, 'exit').then(([code]) => assert.notEqual(code, 1, 'the process failed by itself')),
    ]);
    return process;
  };
  const end = async (process: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    const gone = once(process, 'exit');
    process.kill(signal);
    const [code] = await gone;
    if (signal === 'SIGTERM') assert.equal(code, 0);
  };
  t.after(async () => {
    await Promise.all([...alive].map((process) => end(process, 'SIGKILL')));
    await producer.close();
    await admin.deleteTopics([name, 'sink.posthog.dlq']).catch(() => undefined);
    await admin.close();
    await client.close();
    await capture.close();
  });

  let n = 0;
  const enough = new AbortController();
  const write = async (): Promise<void> => {
    while (!enough.signal.aborted) {
      const batches = Array.from({ length: PARTITIONS }, (_, partition) => {
        const batch = new BatchBuilder();
        for (let i = n; i < n + 20; i += 1)
          batch.append(Buffer.from(`k${i % 50}`), Buffer.from(JSON.stringify({ partition, n: i })), 1_000);
        return { topic: name, partition, batch };
      });
      await producer.send(batches);
      n += 20;
      await sleep(50);
    }
  };
  const poison = uuidOf(0, POISON);
  capture.failures.add({ status: 400, matching: poison, forMs: 600_000 });
  let sink = await begin();
  const writer = write();
  const turns = ways.length * 2;
  for (let turn = 0; turn < turns; turn += 1) {
    const way = ways[turn % ways.length];
    if (way === undefined) continue;
    const forMs = FAILING_MS / turns;
    capture.failures.add({ ...way, forMs });
    await sleep(forMs / 2);
    if (turn === 5 || turn === turns - 1) {
      await end(sink, 'SIGKILL');
      sink = await begin();
    } else await sleep(forMs / 2);
  }
  enough.abort();
  await writer;

  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: name, partition }));
  const deadline = Date.now() + 60_000;
  for (;;) {
    const ends = await admin.offsets(partitions, { committed: true });
    const committed = await admin.committedOffsets(`${name}.sink.posthog`, partitions);
    const at = new Map(committed.map(({ partition, offset }) => [partition, offset]));
    if (ends.every((range, partition) => at.get(partition) === range.end)) break;
    assert.ok(
      Date.now() < deadline,
      `positions are ${[...at.values()].join()} of ${ends.map((each) => each.end).join()}`,
    );
    await sleep(50);
  }
  await end(sink, 'SIGTERM');
  const wanted = partitions.flatMap(({ partition }) => Array.from({ length: n }, (_, i) => uuidOf(partition, i)));
  // Merged by uuid, event, timestamp and distinct id: one that differs in any of them would be there twice.
  const found = capture.received.list().map(({ uuid }) => uuid);
  assert.deepEqual(found.toSorted(), wanted.filter((uuid) => uuid !== poison).toSorted());
  console.log(
    `# ${found.length} events, ${capture.received.again} sent again and merged, 2 kills, ${FAILING_MS} ms of failures`,
  );
  assert.ok(capture.received.again > 0);
});
