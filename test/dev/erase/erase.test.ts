/** A user of the shop is erased over a broker in memory, while the application runs: he is gone, all others are what they were, and he may come back. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { BatchBuilder, type KafkaClient, SluiceError } from '#topology';
import { UserErasure } from '../../../dev/erase/erase.ts';
import { ERASURES_TOPIC, hashOfUser, readErasures } from '../../../dev/erase/erasures.ts';
import { erasureLines } from '../../../dev/erase/erase-text.ts';
import { paintFor } from '../../../dev/inspect/text-table.ts';
import { rangesOf, readTopics } from '../../../dev/verify/read-topics.ts';
import { personalTopics } from '../../../processors/personal-data.ts';
import { topicOf } from '../../processors/shop-dump.ts';
import { busyShop, deadLetters, erase, keysOf, optionsOf, type Row, rowsOf, tableOf } from './busy-shop.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const SHARED = new Set(personalTopics.flatMap(({ name, isKeyShared }) => (isKeyShared ? [name] : [])));
const ERASED = personalTopics.filter(({ isKeyShared }) => !isKeyShared);
const PERSONAL = ERASED.filter(({ name }) => name.startsWith('gold.'));
/** Where Kafka compacts, the rows go with the tombstone; elsewhere it ends them. */
const isCompacted = (topic: string): boolean => topicOf(topic).cleanup === 'compact';
const plain = paintFor({ isTTY: false }, {});

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

describe('erase user', () => {
  test(`while the application runs (SLUICE_SEED=${FIRST})`, async (t) => {
    const { shop, userId } = await busyShop(FIRST, 1);
    t.after(() => shop.close());
    const before = new Map<string, Map<string, Row>>();
    for (const topic of shop.topology.writers.keys())
      if (/^(silver|gold)\./.test(topic)) before.set(topic, await tableOf(shop, topic));
    const counted = async (id: number): Promise<Record<string, number>> =>
      Object.fromEntries(
        await Promise.all(ERASED.map(async ({ name }) => [name, await keysOf(shop, name, id)] as const)),
      );
    // There are users 10 to 13, too.
    const one = await (await UserErasure.open(await optionsOf(shop, '1'))).holdings();
    assert.deepEqual(one.topics, await counted(1));
    const letters = await deadLetters(shop);
    const wanted = await counted(userId);
    assert.ok((wanted['silver.sessions'] ?? 0) > 0 && (wanted['silver.purchases_enriched'] ?? 0) > 0);

    const [holdings, erased] = await erase(shop, String(userId));
    assert.deepEqual(erased.topics, wanted);
    assert.deepEqual(erased.topics, holdings.topics);
    assert.ok(total(erased.topics) > 0 && total(erased.stores) > 0);
    assert.deepEqual(erased.stores, holdings.stores);
    await shop.settle();

    const isErased = (topic: string): boolean => ERASED.some(({ name }) => name === topic);
    for (const [topic, rows] of before) {
      const left = await tableOf(shop, topic);
      const stay = [...rows].filter(([, row]) => !isErased(topic) || !isCompacted(topic) || row['userId'] !== userId);
      assert.deepEqual(left, new Map(stay), `${topic}: all others, and nothing of the user where it is erased`);
      if (isErased(topic)) assert.equal(await keysOf(shop, topic, userId), 0, `${topic} ends with rows of the user`);
    }
    assert.deepEqual([...SHARED], ['silver.pageviews_by_items']);
    assert.equal(await deadLetters(shop), letters);
    assert.deepEqual(shop.fatal, [], 'no stage stands still for a tombstone');
    const text = erasureLines(holdings, erased, plain).join('\n');
    assert.match(
      text,
      /silver\.sessions +records +\d+ +bytes stay: Kafka keeps them whatever its age, up to 17 GB per partition/,
    );
    assert.match(text, /gold\.customer_behaviour +keys +1 +erased/);
  });

  const comesBack = async (t: TestContext, stateFolder?: string): Promise<void> => {
    const { shop, userId } = await busyShop(FIRST, 0.6, stateFolder);
    t.after(() => shop.close());
    await erase(shop, String(userId));
    assert.deepEqual(await rowsOf(shop, 'gold.customer_behaviour', userId), []);
    await shop.feed(1);
    await shop.settle();
    // A replay over the same log knows of no erasure: what would have been without it.
    const { run } = await shop.startReplay({ id: 'all', stages: 'all', from: 'earliest', to: 'now' });
    assert.equal(await run.done, true);
    for (const topic of shop.topology.writers.keys()) {
      if (!/^(silver|gold)\./.test(topic)) continue;
      // Who comes back is new to the segments, too: their first change is another one.
      const isErased = PERSONAL.some(({ name }) => name === topic);
      const others = (rows: Map<string, Row>): Map<string, Row> =>
        new Map([...rows].filter(([, row]) => !isErased || row['userId'] !== userId));
      const [found, wanted] = [await tableOf(shop, topic), await tableOf(shop, `${topic}.all`, topic)];
      assert.ok(wanted.size > 0, topic);
      assert.deepEqual(others(found), others(wanted), topic);
    }
    const behaviour = 'gold.customer_behaviour';
    const now = (await rowsOf(shop, behaviour, userId)).map((row) => Number(row['orders']));
    const ever = Number((await tableOf(shop, `${behaviour}.all`, behaviour)).get(String(userId))?.['orders']);
    assert.ok(now.length <= 1 && (now[0] ?? 0) < ever, `${now.join()} of ${ever} orders`);
  };

  test('what comes later counts from nothing for the user, and as ever for all others and in all sums', async (t) => {
    await comesBack(t);
  });

  test('the same with state on disk', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-erase-'));
    try {
      await comesBack(t, folder);
      assert.ok(
        (await readdir(folder, { recursive: true })).some((name) => name.endsWith('.sqlite')),
        'nothing is on disk',
      );
    } finally {
      t.after(() => rm(folder, { recursive: true, force: true }));
    }
  });

  test('twice is the same as once; nobody is a mistake', async (t) => {
    const { shop, userId } = await busyShop(FIRST, 0.4);
    t.after(() => shop.close());
    const [, first] = await erase(shop, String(userId));
    await shop.settle();
    const [holdings, second] = await erase(shop, String(userId));
    assert.deepEqual([total(second.topics), total(second.stores)], [0, 0]);
    assert.equal(holdings.erasure?.isDone, true);
    assert.deepEqual(second.erasure.topics, first.erasure.topics);
    assert.equal(second.erasure.begunAt, first.erasure.begunAt);
    await assert.rejects(
      erase(shop, '999999'),
      (error) => error instanceof SluiceError && error.code === 'SLC_ERASE_NOBODY',
    );
  });

  test('killed before and after every commit, a second run ends what was begun, and counts nothing twice', async (t) => {
    const { shop, userId } = await busyShop(FIRST, 1);
    t.after(() => shop.close());
    const id = String(userId);
    const looked = await UserErasure.open(await optionsOf(shop, id));
    const { topics: keys, stores } = await looked.holdings();
    for (let commits = 0; ; commits++) {
      const killed = dyingAt(shop.client, commits);
      const outcome = await erase(shop, id, killed).then(
        () => 'done',
        (error: unknown) => String(error),
      );
      // What is left open holds up whoever reads silver, until the next run, or the broker, aborts it.
      if (outcome === 'done') await shop.settle();
      const [erasure] = [
        ...(await readErasures(shop.client, await shop.client.admin(), 'shop', Date.now() + 10_000)).values(),
      ];
      if (outcome === 'done') {
        assert.ok(commits > 2, `${commits} commits`);
        assert.equal(erasure?.isDone, true);
        assert.deepEqual([total(erasure.topics), total(erasure.stores)], [total(keys), total(stores)]);
        break;
      }
      assert.match(outcome, /killed here/);
      assert.notEqual(erasure?.isDone, true, `after ${commits} commits`);
    }
    for (const { name } of ERASED.filter(({ name }) => isCompacted(name)))
      assert.deepEqual(await rowsOf(shop, name, userId), [], name);
  });

  test('the record names nobody', async (t) => {
    const { shop, userId } = await busyShop(FIRST, 0.4);
    t.after(() => shop.close());
    await erase(shop, String(userId));
    const texts: string[] = [];
    await readTopics(
      shop.client,
      await rangesOf(await shop.client.admin(), [ERASURES_TOPIC]),
      Date.now() + 10_000,
      (_, cursor) => {
        texts.push(`${cursor.keyBytes()?.toString()} ${cursor.valueBytes()?.toString()}`);
        return undefined;
      },
    );
    assert.ok(texts.length > 2);
    for (const text of texts) {
      assert.ok(text.startsWith(`shop|${hashOfUser('shop', String(userId), '')} `));
      assert.doesNotMatch(text, /user_?id|@|full|name|email/i);
    }
    assert.notEqual(hashOfUser('shop', '7', 'secret'), hashOfUser('shop', '7', ''));
  });

  test('a row that nobody can read stops it before anything is erased', async (t) => {
    const { shop, userId } = await busyShop(FIRST, 0.4);
    t.after(() => shop.close());
    const producer = await shop.client.producer();
    const batch = new BatchBuilder();
    batch.append(Buffer.from('x'), Buffer.from('no Avro'), 0);
    await producer.send([{ topic: 'gold.login_anomalies', partition: 0, batch }]);
    await assert.rejects(erase(shop, String(userId)), /gold\.login_anomalies-0@\d+ does not decode/);
    assert.equal((await rowsOf(shop, 'gold.customer_behaviour', userId)).length, 1);
  });
});

/** A client whose process dies instead of its nth commit. */
function dyingAt(client: KafkaClient, nth: number): KafkaClient {
  let commits = 0;
  return {
    ...client,
    producer: async (options) => {
      const producer = await client.producer(options);
      const commit = producer.commit.bind(producer);
      producer.commit = async () => {
        if (commits++ >= nth) throw new Error('killed here');
        await commit();
      };
      return producer;
    },
  };
}
