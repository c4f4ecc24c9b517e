/** An upgrade adds a stage that writes a topic which others write already: windows behind that topic that are out stay out, once (rule 9 of docs/TIME.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  HINTS_TOPIC,
  keyBy,
  mapValues,
  stage,
  type Stage,
  startStreamApp,
  type StreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';
import { derived, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';
import { readJson } from './read-json.ts';

const web = origin<string>('web', 1, {}, '0s');
const till = origin<string>('till', 1, {}, '0s');
const sales = derived<string>('all-sales', 1);
const perMinute = derived<number>('per-minute', 1);

const copy = (name: string, from: typeof web): Stage =>
  stage(name, (s) => {
    s.stream(from)
      .pipe(mapValues((value) => value))
      .to(sales);
  });
/** The stage of that name, once it reads both. */
const both = stage('web-sales', (s) => {
  s.stream(web)
    .merge(s.stream(till))
    .pipe(mapValues((value) => value))
    .to(sales);
});
const counts = stage('counts', (s) => {
  s.stream(sales)
    .pipe(
      windowedBy(tumbling({ size: '1m', grace: '0s' })),
      count({ store: 'counts' }),
      keyBy((r) => `${r.key.key}@${r.key.start / MINUTE}`),
    )
    .to(perMinute);
});

class Shop {
  readonly clock = new VirtualClock();
  readonly broker = new FakeKafka({ clock: this.clock });
  readonly fatal: Error[] = [];

  async open(): Promise<void> {
    const admin = await this.broker.client().admin();
    await admin.ensureTopics([web.name, till.name, HINTS_TOPIC].map((name) => ({ name, partitions: 1 })));
  }

  async sold(topic: typeof web, ...minutes: readonly number[]): Promise<void> {
    const producer = await this.broker.client().producer();
    for (const minute of minutes) {
      const batch = new BatchBuilder();
      batch.append(Buffer.from('k'), Buffer.from('"x"'), minute * MINUTE);
      await producer.send([{ topic: topic.name, partition: 0, batch }]);
    }
  }

  async complete(topic: typeof web, minute: number): Promise<void> {
    const producer = await this.broker.client().producer();
    const endOffset = this.broker.partition({ topic: topic.name, partition: 0 }).end(true);
    const at = this.clock.now();
    const m = minute * MINUTE;
    const { key, value } = encodeHint({ writer: 'test', topic: topic.name, partition: 0, m, endOffset, at });
    const batch = new BatchBuilder();
    batch.append(key, value, at);
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  start(...stages: readonly Stage[]): Promise<StreamApp> {
    return this.clock.until(
      startStreamApp({
        client: this.broker.client(),
        topology: buildTopology(stages, { app: 'added' }),
        serdes: jsonSerdes,
        logger: pino({ level: 'silent' }),
        clock: this.clock,
        options: { tickMs: 1 },
        onFatal: (error) => this.fatal.push(error),
      }),
    );
  }

  /** What has come out after a while, in the order of the log. */
  async rows(): Promise<string[]> {
    await this.clock.pass(5_000);
    assert.deepEqual(this.fatal, []);
    return readJson(this.broker, perMinute.name).map(({ key, value }) => `${key}=${String(value)}`);
  }

  late(): unknown[] {
    return readJson(this.broker, 'counts.late').map(({ value }) => (value as { timestamp: number }).timestamp / MINUTE);
  }
}

describe('a stage that an upgrade adds or changes', () => {
  test('does not open again what has closed: its old records are late there', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 1, 2, 3);
    await shop.sold(till, 1, 3, 7);
    await shop.complete(web, 5);
    const old = await shop.start(copy('web-sales', web), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    await shop.clock.until(old.stop());

    const all = [copy('web-sales', web), copy('till-sales', till), counts];
    let app = await shop.start(...all);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    assert.deepEqual(shop.late(), [1, 3]);
    // A restart forgets nothing of it.
    await shop.clock.until(app.stop());
    await shop.sold(till, 2);
    app = await shop.start(...all);
    await shop.sold(web, 7, 8);
    await shop.sold(till, 8);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1', 'k@7=2', 'k@8=2']);
    assert.deepEqual(shop.late(), [1, 3, 2]);
    await shop.clock.until(app.stop());
  });

  test('nor does a stage that wrote it before and reads one topic more', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 1, 2, 3);
    await shop.sold(till, 1, 3, 7);
    await shop.complete(web, 5);
    const old = await shop.start(copy('web-sales', web), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    await shop.clock.until(old.stop());
    let app = await shop.start(both, counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    assert.deepEqual(shop.late(), [1, 3]);
    await shop.clock.until(app.stop());
    app = await shop.start(both, counts);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1', 'k@7=1']);
    await shop.clock.until(app.stop());
  });

  test('from the beginning, with the others, nothing of it is late', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 2);
    await shop.sold(till, 1, 2);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    const app = await shop.start(copy('web-sales', web), copy('till-sales', till), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=2']);
    assert.deepEqual(shop.late(), []);
    await shop.clock.until(app.stop());
  });
});
