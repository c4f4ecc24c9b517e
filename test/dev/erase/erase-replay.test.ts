/** After an erasure: a replay of bronze does not bring the user back, and verify tells rows that were erased from rows that are missing. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { schemas } from '#schemas';
import { BatchBuilder, ERASED_HEADER, type RecordHeader, replayNameOf, type ReplayPlan, TIME_HEADER } from '#topology';
import { erasableTopics } from '../../../bin/commands/erase.ts';
import { eraseInReplay } from '../../../dev/erase/erase-replay.ts';
import { ByteViewer } from '../../../dev/inspect/show-bytes.ts';
import { rangesOf, readTopics } from '../../../dev/verify/read-topics.ts';
import { reportReplay } from '../../../dev/verify/replay/report-replay.ts';
import { type TopicVerdict, verifyReplay } from '../../../dev/verify/replay/verify-replay.ts';
import { personalTopics } from '../../../processors/personal-data.ts';
import { type LiveShop, until } from '../../processors/live-shop.ts';
import { topicOf } from '../../processors/shop-dump.ts';
import { busyShop, deadLetters, erase, newestOf } from './busy-shop.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const ERASED = personalTopics.filter(({ isKeyShared }) => !isKeyShared).map(({ name }) => name);

/** Live has erased a user; then all stages run again. */
async function replayed(t: TestContext): Promise<{ shop: LiveShop; userId: number; plan: ReplayPlan }> {
  const { shop, userId } = await busyShop(FIRST, 1);
  t.after(() => shop.close());
  await erase(shop, String(userId));
  await shop.settle();
  const { run } = await shop.startReplay({ id: 'again', stages: 'all', from: 'earliest', to: 'now' });
  assert.equal(await run.done, true);
  return { shop, userId, plan: run.plan };
}

async function eraseAgain(shop: LiveShop, plan: ReplayPlan): Promise<number> {
  const { client, serdes } = shop;
  const deadline = Date.now() + 30_000;
  const admin = await client.admin();
  return await eraseInReplay({ client, admin, serdes, schemas, plan, topics: erasableTopics(), secret: '', deadline });
}

async function verify(shop: LiveShop): Promise<readonly TopicVerdict[]> {
  const { verdicts } = await verifyReplay({
    client: shop.client,
    live: shop.topology,
    id: 'again',
    viewer: new ByteViewer(undefined),
    timeoutMs: 60_000,
    progress: () => undefined,
  });
  return verdicts;
}
const wrong = (verdicts: readonly TopicVerdict[]): string[] =>
  verdicts.filter(({ equal }) => equal === false).map(({ topic }) => topic);

/** The last row under a key of somebody else: its place and the header with its time. */
async function rowOf(shop: LiveShop, topic: string, isOf: (key: string) => boolean) {
  let found: { partition: number; key: Buffer; timestamp: number; time: Buffer } | undefined;
  const deadline = Date.now() + 30_000;
  await readTopics(
    shop.client,
    await rangesOf(await shop.client.admin(), [topic]),
    deadline,
    ({ partition }, cursor) => {
      const [key, time] = [cursor.keyBytes(), cursor.header(TIME_HEADER)];
      if (key === null || time === null || cursor.valueBytes() === null || !isOf(key.toString())) return undefined;
      found = { partition, key: Buffer.from(key), timestamp: cursor.timestamp, time: Buffer.from(time) };
      return undefined;
    },
  );
  return found ?? assert.fail(`no such row in ${topic}`);
}

async function end(
  shop: LiveShop,
  topic: string,
  row: Awaited<ReturnType<typeof rowOf>>,
  marked: boolean,
): Promise<void> {
  const producer = await shop.client.producer();
  const batch = new BatchBuilder();
  const headers: RecordHeader[] = [[TIME_HEADER, row.time]];
  if (marked) headers.push([ERASED_HEADER, new Uint8Array()]);
  batch.append(row.key, null, row.timestamp, headers);
  await producer.send([{ topic, partition: row.partition, batch }]);
}

describe(`after an erasure (SLUICE_SEED=${FIRST})`, () => {
  test('a replay has the user again, and erases him again at its end; once', async (t) => {
    const { shop, userId, plan } = await replayed(t);
    const has = async (topic: string): Promise<number> => {
      const rows = await newestOf(shop, replayNameOf(topic, 'again'), topic);
      return [...rows.values()].filter((row) => row?.['userId'] === userId).length;
    };
    const before = await Promise.all(ERASED.map(has));
    for (const topic of ['silver.purchases_enriched', 'silver.sessions', 'gold.customer_behaviour'])
      assert.ok((before[ERASED.indexOf(topic)] ?? 0) > 0, topic);
    assert.equal(
      await eraseAgain(shop, plan),
      before.reduce((sum, keys) => sum + keys, 0),
    );
    for (const topic of ERASED) assert.equal(await has(topic), 0, topic);
    assert.equal(await eraseAgain(shop, plan), 0, 'nothing is left');
  });

  test('verify leaves him out on both sides, before and after, and nobody else', async (t) => {
    const { shop, userId, plan } = await replayed(t);
    const before = await verify(shop);
    assert.deepEqual(wrong(before), [], reportReplay(before));
    await eraseAgain(shop, plan);
    const after = await verify(shop);
    assert.deepEqual(wrong(after), [], reportReplay(after));
    const erasedIn = (verdicts: readonly TopicVerdict[], name: string): number =>
      verdicts.find(({ topic, kind }) => topic === name && kind !== 'late')?.erased ?? 0;
    assert.equal(erasedIn(before, 'gold.customer_behaviour'), 1);
    assert.match(reportReplay(before), /gold\.customer_behaviour +table .* equal, 1 of erased users left out\n/);
    assert.equal(erasedIn(after, 'gold.customer_behaviour'), 0, 'it is in neither any more');
    assert.ok(erasedIn(after, 'silver.sessions') > 0);
    assert.ok(after.every(({ topic, erased }) => erased === undefined || ERASED.includes(topic)));
    // A row of somebody else that is gone, with nothing that says why, is missing.
    const name = replayNameOf('gold.customer_behaviour', 'again');
    const other = await rowOf(shop, name, (key) => key !== String(userId));
    await end(shop, name, other, false);
    assert.deepEqual(wrong(await verify(shop)), ['gold.customer_behaviour']);
  });

  test('a tombstone in silver is no record to stages when it erases; without that header it stops them', async (t) => {
    const { shop } = await busyShop(FIRST, 1);
    t.after(() => shop.close().catch(() => undefined));
    const letters = await deadLetters(shop);
    const topic = 'silver.purchases_enriched';
    assert.equal(topicOf(topic).cleanup, 'delete');
    const row = await rowOf(shop, topic, () => true);
    await end(shop, topic, row, true);
    await shop.settle();
    assert.deepEqual([shop.fatal, await deadLetters(shop)], [[], letters]);
    await end(shop, topic, row, false);
    const isNoticed = async (): Promise<boolean> => shop.fatal.length > 0 || (await deadLetters(shop)) > letters;
    await until('a stage has taken it for a record of its own', isNoticed);
  });
});
