/** An application in this process over a broker in memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  partitionFor,
  RecordCursor,
  startStreamApp,
  type StreamApp,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { clickTopics, clickTopology, jsonSerdes, type Minute } from './app-child.ts';

const PARTITIONS = Array.from({ length: 6 }, (_, partition) => partition);
const START = Date.UTC(2026, 0, 5, 10);
const DEADLINE_MS = 20_000;
const logger = pino({ level: 'silent' });

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

class Shop {
  readonly broker = new FakeKafka();
  readonly client: KafkaClient = this.broker.client();
  readonly topics = clickTopics('t');
  readonly fatal: Error[] = [];
  readonly #apps: StreamApp[] = [];

  async open(): Promise<KafkaAdmin> {
    const admin = await this.client.admin();
    await admin.ensureTopics([
      { name: this.topics.clicks.name, partitions: 6 },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
    return admin;
  }

  async start(): Promise<StreamApp> {
    const app = await startStreamApp({
      client: this.broker.client(),
      topology: clickTopology('t'),
      serdes: jsonSerdes,
      logger,
      options: { trimIntervalMs: 20 },
      onFatal: (error) => this.fatal.push(error),
    });
    this.#apps.push(app);
    return app;
  }

  async close(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.stop()));
  }

  async send(from: number, to: number): Promise<void> {
    const producer = await this.client.producer();
    for (let n = from; n < to; n++) {
      const key = Buffer.from(`c${n}`);
      const batch = new BatchBuilder();
      batch.append(key, Buffer.from(JSON.stringify({ user: `u${n % 7}` })), START + n * 100);
      await producer.send([{ topic: this.topics.clicks.name, partition: partitionFor(key, 6), batch }]);
    }
  }

  async sayComplete(m: number): Promise<void> {
    const producer = await this.client.producer();
    const batch = new BatchBuilder();
    for (const partition of PARTITIONS) {
      const endOffset = this.broker.partition({ topic: this.topics.clicks.name, partition }).end(true);
      const { key, value } = encodeHint({
        writer: 'test',
        topic: this.topics.clicks.name,
        partition,
        m,
        endOffset,
        at: 0,
      });
      batch.append(key, value, 0);
    }
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  minutes(): string[] {
    const cursor = new RecordCursor();
    return PARTITIONS.flatMap((partition) => {
      const tp = { topic: this.topics.minutes.name, partition };
      const found: string[] = [];
      for (let offset = 0n; ;) {
        const fetched = this.broker.partition(tp).fetch(tp, offset, true, 2 ** 20);
        for (const batch of fetched?.batches ?? []) {
          cursor.open(batch);
          while (cursor.next()) {
            const { start, clicks } = JSON.parse(String(cursor.valueBytes())) as Minute;
            found.push(`${(start - START) / 60_000}=${clicks}`);
          }
        }
        if (fetched === undefined || fetched.nextOffset >= fetched.endOffset) return found;
        offset = fetched.nextOffset;
      }
    }).toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  }
}

describe('an application', () => {
  test('repartition topics are trimmed behind what is committed; a successor goes on where it ended', async (t) => {
    const shop = new Shop();
    t.after(() => shop.close());
    const admin = await shop.open();
    const first = await shop.start();
    await shop.send(0, 900);
    const repartitions = (await admin.listTopics()).filter((topic) => topic.endsWith('-repartition'));
    assert.ok(repartitions.length > 0);
    const tps = repartitions.flatMap((topic) => PARTITIONS.map((partition) => ({ topic, partition })));
    await until('trimmed', async () => (await admin.offsets(tps, { committed: true })).some(({ start }) => start > 0n));
    await first.stop();
    const positions = await admin.committedOffsets('t', tps);
    const ranges = await admin.offsets(tps, { committed: true });
    for (const { topic, partition, offset } of positions) {
      const range = ranges[tps.findIndex((tp) => tp.topic === topic && tp.partition === partition)];
      assert.ok(
        range !== undefined && range.start <= offset,
        `${topic}-${partition}: trimmed to ${range?.start}, committed ${offset}`,
      );
    }
    await shop.start();
    await shop.send(900, 1_800);
    await shop.sayComplete(START + 3_600_000);
    await until('three minutes', () => shop.minutes().length === 3);
    assert.deepEqual(shop.minutes(), ['0=600', '1=600', '2=600']);
    assert.deepEqual(shop.fatal, []);
  });

  test('a broker that is away at the start and in the middle is waited for; nothing is lost or doubled', async (t) => {
    const shop = new Shop();
    t.after(() => shop.close());
    await shop.open();
    shop.broker.away = true;
    const starting = shop.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    shop.broker.away = false;
    const app = await starting;
    await shop.send(0, 900);
    await until('commits', () => app.stats().commits > 3);
    shop.broker.away = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
    shop.broker.away = false;
    await shop.send(900, 1_800);
    await shop.sayComplete(START + 3_600_000);
    await until('three minutes', () => shop.minutes().length === 3);
    assert.deepEqual(shop.minutes(), ['0=600', '1=600', '2=600']);
    assert.deepEqual(shop.fatal, []);
  });

  test('processes that come and go share the slots; every window once', async (t) => {
    const shop = new Shop();
    t.after(() => shop.close());
    await shop.open();
    const first = await shop.start();
    await shop.send(0, 600);
    const second = await shop.start();
    await until('both have slots', () => first.stats().slots.length === 3 && second.stats().slots.length === 3);
    await shop.send(600, 1_200);
    await first.stop();
    await until('one has all', () => second.stats().slots.length === 6);
    await shop.send(1_200, 1_800);
    await shop.sayComplete(START + 3_600_000);
    await until('three minutes', () => shop.minutes().length === 3);
    assert.deepEqual(shop.minutes(), ['0=600', '1=600', '2=600']);
    assert.deepEqual(shop.fatal, []);
  });
});
