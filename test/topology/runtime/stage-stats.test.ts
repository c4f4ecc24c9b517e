/** What stages tell of themselves: who holds them back, and what their stores take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  HINTS_TOPIC,
  keyBy,
  stage,
  type StageStats,
  startStreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';

const DEADLINE_MS = 20_000;
const clicks = origin<{ who: string }>('clicks', 2);
const clean = derived<{ who: string }>('clean', 2);
const topology = buildTopology(
  [
    stage('clean', (s) => {
      s.stream(clicks).to(clean);
    }),
    stage('counts', (s) => {
      s.stream(clean).pipe(
        keyBy((r) => r.value.who),
        windowedBy(tumbling({ size: '1h', grace: '5m' })),
        count({ store: 'counts', emit: 'final' }),
      );
    }),
  ],
  { app: 'app' },
);

test('the writer behind all tasks is named; stores tell entries and bytes', async (t) => {
  const client = new FakeKafka().client();
  const admin = await client.admin();
  await admin.ensureTopics([
    { name: HINTS_TOPIC, partitions: 1 },
    { name: clicks.name, partitions: 2 },
  ]);
  const producer = await client.producer();
  const send = async (
    topic: string,
    partition: number,
    records: readonly [Uint8Array, Uint8Array][],
  ): Promise<void> => {
    const batch = new BatchBuilder();
    for (const [key, value] of records) batch.append(key, value, 1_000_000);
    await producer.send([{ topic, partition, batch }]);
  };
  const hint = async (writer: string, partition: number, m: number): Promise<void> => {
    const { key, value } = encodeHint({ writer, topic: clicks.name, partition, m, endOffset: 1n, at: Date.now() });
    await send(HINTS_TOPIC, 0, [[key, value]]);
  };
  for (const partition of [0, 1])
    await send(clicks.name, partition, [[Buffer.from('k'), Buffer.from(JSON.stringify({ who: `p${partition}` }))]]);
  await hint('phones', 0, 9_000_000);
  await hint('desktops', 1, 3_000_000);

  const fatal: Error[] = [];
  const app = await startStreamApp({
    client,
    topology,
    serdes: jsonSerdes,
    logger: pino({ level: 'silent' }),
    options: { commitIntervalMs: 10, minCommitIntervalMs: 1 },
    onFatal: (error) => fatal.push(error),
  });
  t.after(async () => {
    await app.stop();
    await producer.close();
    await admin.close();
  });
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + DEADLINE_MS; !condition();) {
      assert.ok(Date.now() < end, `${what}: ${JSON.stringify(app.stats().stages)} ${fatal.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const of = (name: string): StageStats => app.stats().stages.find((each) => each.name === name) ?? assert.fail(name);

  await until('the slower writer holds both back', () => of('counts').watermark === 3_000_000);
  assert.deepEqual([of('clean').heldBackBy, of('counts').heldBackBy], ['desktops', 'desktops']);
  await until('state is committed', () => (of('counts').stores[0]?.bytes ?? 0) > 0);
  const [counts] = of('counts').stores;
  assert.deepEqual([counts?.store, counts?.entries, of('clean').stores], ['counts', 2, []]);
  assert.ok((counts?.bytes ?? 0) >= 20 && (counts?.bytes ?? 0) < 200, JSON.stringify(counts));

  await hint('desktops', 1, 12_000_000);
  await until('the other one does', () => of('counts').watermark === 9_000_000);
  assert.deepEqual([of('clean').heldBackBy, of('counts').heldBackBy], ['phones', 'phones']);
});
