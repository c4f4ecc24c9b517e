/** A user of the shop is erased over a broker in memory, while the application runs: he is gone, all others are what they were, and he may come back. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { schemas } from '#schemas';
import { BatchBuilder, type KafkaClient, SluiceError } from '#topology';
import { random } from '#topology/testing';
import { erasableTopics } from '../../../bin/commands/erase.ts';
import { type Erased, type Holdings, UserErasure } from '../../../dev/erase/erase.ts';
import { ERASURES_TOPIC, hashOfUser, readErasures } from '../../../dev/erase/erasures.ts';
import { erasureLines } from '../../../dev/erase/erase-text.ts';
import type { EraseOptions } from '../../../dev/erase/types.ts';
import { paintFor } from '../../../dev/inspect/text-table.ts';
import { decode, openSerdes } from '../../../dev/verify/dump.ts';
import { rangesOf, readTopics } from '../../../dev/verify/read-topics.ts';
import { openSessions, personalStores, personalTopics } from '../../../processors/personal-data.ts';
import { topics } from '../../../processors/index.ts';
import { makeDump } from '../../oracles/synthetic.ts';
import { LiveShop } from '../../processors/live-shop.ts';
import { complete, topicOf } from '../../processors/shop-dump.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const PERSONAL = personalTopics.filter(({ name }) => name.startsWith('gold.'));
/** Where Kafka compacts, a tombstone erases. */
const COMPACTED = new Set(
  Object.values(topics.gold).flatMap(({ name, cleanup }) => (cleanup === 'compact' ? [name] : [])),
);
const GOLD = PERSONAL.filter(({ name }) => COMPACTED.has(name));
const plain = paintFor({ isTTY: false }, {});

type Row = Readonly<Record<string, unknown>>;

/**
 * The rows of a topic: of a table the newest value per key, without those that are tombstoned; of one that keeps all, all, in an order of their own, since
 * that of the log is nobody's promise.
 */
async function tableOf(shop: LiveShop, topic: string, schema = topic): Promise<Map<string, Row>> {
  const isTable = topicOf(schema).cleanup === 'compact';
  const { client, serdes } = shop;
  const admin = await client.admin();
  const deadline = Date.now() + 30_000;
  const read = await openSerdes({ client, serdes, schemas, app: 'shop', deadline }, schema);
  const rows = new Map<string, Row>();
  await readTopics(client, await rangesOf(admin, [topic]), deadline, (_, cursor) => {
    const decoded = decode(read, cursor);
    if (decoded instanceof Promise) return decoded;
    assert.ok(decoded !== undefined);
    const key = String(decoded.key);
    if (decoded.value !== null) rows.set(isTable ? key : `${key} ${textOf(decoded.value)}`, decoded.value as Row);
    else if (isTable) rows.delete(key);
    return undefined;
  });
  return rows;
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));

const rowsOf = async (shop: LiveShop, topic: string, userId: number): Promise<Row[]> =>
  [...(await tableOf(shop, topic)).values()].filter((row) => row['userId'] === userId);

async function optionsOf(shop: LiveShop, userId: string, client: KafkaClient = shop.client): Promise<EraseOptions> {
  return {
    client,
    admin: await shop.client.admin(),
    topology: shop.topology,
    serdes: shop.serdes,
    schemas,
    userId,
    topics: erasableTopics(),
    stores: personalStores,
    openSessions,
    users: topics.silver.users.name,
    postgres: undefined,
    secret: '',
    deadline: Date.now() + 30_000,
    progress: () => undefined,
  };
}

async function erase(shop: LiveShop, userId: string, client?: KafkaClient): Promise<[Holdings, Erased]> {
  const erasure = await UserErasure.open(await optionsOf(shop, userId, client));
  const holdings = await erasure.holdings();
  return [holdings, await erasure.erase(holdings)];
}

/** A shop that has processed a share of a dump, and the user with the most orders by then; in few dumps nobody has any. */
async function busyShop(
  seed: number,
  share: number,
  stateFolder?: string,
): Promise<{ shop: LiveShop; userId: number }> {
  for (let next = seed; next < seed + 20; next++) {
    const shop = new LiveShop(complete(makeDump(next)), random(next), stateFolder && join(stateFolder, String(next)));
    await shop.open();
    await shop.start();
    await shop.feed(share);
    await shop.settle();
    const users = [...(await tableOf(shop, 'gold.customer_behaviour')).values()];
    const [most] = users.toSorted((a, b) => Number(b['orders']) - Number(a['orders']));
    if (Number(most?.['orders'] ?? 0) > 0) return { shop, userId: Number(most?.['userId']) };
    await shop.close();
  }
  return assert.fail('nobody has bought anything');
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

describe('erase user', () => {
  test(`while the application runs (SLUICE_SEED=${FIRST})`, async (t) => {
    const { shop, userId } = await busyShop(FIRST, 1);
    t.after(() => shop.close());
    const before = new Map<string, Map<string, Row>>();
    for (const topic of shop.topology.writers.keys())
      if (/^(silver|gold)\./.test(topic)) before.set(topic, await tableOf(shop, topic));
    const ofUser = (topic: string, id = userId): number =>
      [...(before.get(topic)?.values() ?? [])].filter((row) => row['userId'] === id).length;
    // There are users 10 to 13, too.
    const one = await (await UserErasure.open(await optionsOf(shop, '1'))).holdings();
    assert.deepEqual(one.topics, Object.fromEntries(GOLD.map(({ name }) => [name, ofUser(name, 1)])));

    const [holdings, erased] = await erase(shop, String(userId));
    assert.deepEqual(erased.topics, Object.fromEntries(GOLD.map(({ name }) => [name, ofUser(name)])));
    assert.deepEqual(erased.topics, holdings.topics);
    assert.ok(total(erased.topics) > 0 && total(erased.stores) > 0);
    assert.deepEqual(erased.stores, holdings.stores);
    await shop.settle();

    for (const [topic, rows] of before) {
      const left = await tableOf(shop, topic);
      const isErased = GOLD.some(({ name }) => name === topic);
      const wanted = new Map([...rows].filter(([, row]) => !isErased || row['userId'] !== userId));
      assert.deepEqual(left, wanted, `${topic}: all others, and nothing of the user where it is erased`);
    }
    const text = erasureLines(holdings, erased, plain).join('\n');
    assert.match(
      text,
      /silver\.sessions +records +\d+ +stays: Kafka keeps it whatever its age, up to 17 GB per partition/,
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
      await shop.settle();
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
    for (const { name } of GOLD) assert.deepEqual(await rowsOf(shop, name, userId), [], name);
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
