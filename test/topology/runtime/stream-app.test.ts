/** An application in this process over a broker in memory. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  keyBy,
  type KafkaClient,
  type Logger,
  mapValues,
  partitionFor,
  RecordCursor,
  stage,
  startStreamApp,
  type StreamApp,
  TopologyError,
  tumbling,
  windowedBy,
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

  async start(topology = clickTopology('t'), log: Logger = logger): Promise<StreamApp> {
    const app = await startStreamApp({
      client: this.broker.client(),
      topology,
      serdes: jsonSerdes,
      logger: log,
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

/** The application after an upgrade: one stage, whose store may have another name and other windows. */
function upgraded(store: string, size: '1m' | '2m') {
  const { clicks, users } = clickTopics('t');
  const perUser = stage('users', (s) => {
    s.stream(clicks)
      .pipe(
        keyBy((r) => r.value.user),
        windowedBy(tumbling({ size, grace: '10s' })),
        count({ store }),
        mapValues((n, { key, start }) => ({ user: key, start, clicks: n })),
        keyBy((r) => `${r.value.start}|${r.value.user}`),
      )
      .to(users);
  });
  return buildTopology([perUser], { app: 't' });
}

describe('an upgrade', () => {
  const said: string[] = [];
  const log: Logger = {
    debug: () => undefined,
    info: (_, text) => said.push(text ?? ''),
    warn: (_, text) => said.push(text ?? ''),
    error: () => undefined,
  };

  async function before(t: TestContext): Promise<Shop> {
    const shop = new Shop();
    t.after(() => shop.close());
    await shop.open();
    const old = await shop.start();
    await shop.send(0, 60);
    const changelog = PARTITIONS.map((partition) => ({ topic: 't-users-changelog', partition }));
    await until('state', () => changelog.some((tp) => shop.broker.partition(tp).end(true) > 0n));
    await old.stop();
    said.length = 0;
    return shop;
  }

  test('says which stores go on, which begin empty and which are no longer used', async (t) => {
    const shop = await before(t);
    await shop.start(upgraded('users', '1m'), log);
    assert.ok(
      said.some((text) => text.includes('goes on: users')),
      said.join(),
    );
    assert.ok(
      said.some((text) => text.includes('no longer used') && text.includes('minutes')),
      said.join(),
    );
    await shop.close();
    said.length = 0;
    await shop.start(upgraded('users-2', '2m'), log);
    assert.ok(
      said.some((text) => text.startsWith('begin empty') && text.includes('users-2')),
      said.join(),
    );
  });

  test('refuses a store that is made otherwise, until its changelog is gone', async (t) => {
    const shop = await before(t);
    await assert.rejects(
      shop.start(upgraded('users', '2m'), log),
      (error) =>
        error instanceof TopologyError && error.code === 'SLC_TOPOLOGY_STORE_CHANGED' && /1m.*2m/.test(error.message),
    );
    const admin = await shop.client.admin();
    await admin.deleteTopics(['t-users-changelog']);
    await shop.start(upgraded('users', '2m'), log);
    assert.deepEqual(shop.fatal, []);
  });

  test('the same topology has nothing to say', async (t) => {
    const shop = await before(t);
    await shop.start(clickTopology('t'), log);
    assert.ok(!said.some((text) => text.includes('topology')), said.join());
  });
});

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
