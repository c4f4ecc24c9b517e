/** When a commit is due, of what lies in a topic: by records and by bytes, long before the interval is over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  keyBy,
  originTopic,
  type RuntimeOptions,
  stage,
  startStreamApp,
  topic,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { jsonSerdes } from './app-child.ts';

const RECORDS = 2_000;
const DEADLINE_MS = 20_000;

interface Event {
  readonly text: string;
}

const value = { name: 'Event', definition: { type: 'record', name: 'Event', fields: [] } } as const;
const events = originTopic<Event>('events', { value, outOfOrderness: '0s', maxAhead: '1h' });
const copies = topic<Event>('copies', { value });

/** Commits that copy 2,000 records of some 70 bytes, all of them in the topic when the application starts. */
async function commitsWith(options: Partial<RuntimeOptions>): Promise<number> {
  const broker = new FakeKafka();
  const client = broker.client();
  await (await client.admin()).ensureTopics([{ name: events.name, partitions: 6 }]);
  const batch = new BatchBuilder();
  const text = JSON.stringify({ text: 'x'.repeat(20) });
  for (let n = 0; n < RECORDS; n++) batch.append(Buffer.from(`k${n}`), Buffer.from(text), n);
  await (await client.producer()).send([{ topic: events.name, partition: 0, batch }]);
  const copy = stage('copies', (s) => {
    s.stream(events)
      .pipe(keyBy((r) => r.value.text))
      .to(copies);
  });
  const app = await startStreamApp({
    client: broker.client(),
    topology: buildTopology([copy], { app: 't' }),
    serdes: jsonSerdes,
    logger: pino({ level: 'silent' }),
    options: { commitIntervalMs: 60_000, minCommitIntervalMs: 60_000, ...options },
    onFatal: (error) => assert.fail(error),
  });
  const deadline = Date.now() + DEADLINE_MS;
  const processed = (): number => app.stats().stages[0]?.records ?? 0;
  while (processed() < RECORDS) {
    assert.ok(Date.now() < deadline, `${processed()} of ${RECORDS} records`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { commits } = app.stats();
  await app.stop();
  return commits;
}

describe('a commit is due', () => {
  test('by time alone while it is small', async () => assert.ok((await commitsWith({})) <= 1));

  test('by its records', async () => assert.ok((await commitsWith({ maxBatchRecords: 200 })) >= 9));

  test('by the bytes that it is to write', async () => assert.ok((await commitsWith({ maxBatchBytes: 10_000 })) >= 5));
});
