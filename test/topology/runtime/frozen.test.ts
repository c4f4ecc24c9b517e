/** A process that stood still for longer than its session, while others read on and trimmed what it had yet to read: it goes on, under virtual time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  HINTS_TOPIC,
  keyBy,
  type KafkaClient,
  stage,
  startStreamApp,
  type StreamApp,
} from '#topology';
import { ChaosClient, FakeKafka, random, VirtualClock } from '#topology/testing';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';

const clicks = origin<string>('clicks', 1);
const counts = derived<number>('counts', 1);
const topology = buildTopology(
  [
    stage('counts', (s) => {
      s.stream(clicks)
        .pipe(
          keyBy((r) => r.value),
          count({ store: 'counts' }),
        )
        .toStream()
        .to(counts);
    }),
  ],
  { app: 'frozen' },
);
const REPARTITION = { topic: 'frozen-counts-repartition', partition: 0 };

class Shop {
  readonly clock = new VirtualClock();
  readonly broker = new FakeKafka({ clock: this.clock });
  readonly client: KafkaClient = this.broker.client();
  readonly fatal: Error[] = [];
  #sent = 0;

  async open(): Promise<void> {
    const admin = await this.client.admin();
    await admin.ensureTopics([
      { name: clicks.name, partitions: 1 },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
  }

  async start(): Promise<{ app: StreamApp; chaos: ChaosClient }> {
    const options = { clock: this.clock, random: random(1), failures: 0, delayMs: 0 };
    const chaos = new ChaosClient(this.broker.client(), options);
    const app = await this.clock.until(
      startStreamApp({
        client: chaos,
        topology,
        serdes: jsonSerdes,
        logger: pino({ level: 'silent' }),
        clock: chaos.clock,
        options: { trimIntervalMs: 50 },
        onFatal: (error) => this.fatal.push(error),
      }),
    );
    return { app, chaos };
  }

  async send(n: number): Promise<void> {
    const producer = await this.client.producer();
    for (const to = this.#sent + n; this.#sent < to; this.#sent++) {
      const batch = new BatchBuilder();
      batch.append(Buffer.from('c'), Buffer.from('"k"'), this.#sent);
      await producer.send([{ topic: clicks.name, partition: 0, batch }]);
    }
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += 10) {
      assert.ok(waited < 60_000, what);
      await this.clock.pass(10);
    }
  }

  /** Everything sent is counted, and trimmed behind. */
  isCounted(app: StreamApp): boolean {
    const row = app.table('counts').get('k');
    return row !== undefined && row.value === this.#sent;
  }
}

describe('a process that stood still', () => {
  test('whose next records another one has processed and trimmed takes its slots anew', async () => {
    const shop = new Shop();
    await shop.open();
    const { app: sleeper, chaos } = await shop.start();
    await shop.send(5);
    await shop.until('the first records', () => shop.isCounted(sleeper));
    const { app: other } = await shop.start();
    await shop.send(5);
    await chaos.freeze(2_000);
    await shop.until('the other one has the slot', () => other.stats().slots.length === 1 && shop.isCounted(other));
    for (let round = 0; round < 5; round++) {
      await shop.send(5);
      await shop.until('the other one goes on', () => shop.isCounted(other));
      await shop.clock.pass(100);
    }
    assert.ok(shop.broker.partition(REPARTITION).start > 10n, 'nothing was trimmed');
    await shop.clock.pass(10_000);
    assert.deepEqual(shop.fatal, []);
    await shop.clock.until(other.stop());
    await shop.send(5);
    await shop.until('the sleeper has the slot again', () => shop.isCounted(sleeper));
    await shop.clock.until(sleeper.stop());
    assert.deepEqual(shop.fatal, []);
  });

  test('but records that nobody has processed and that are gone end it', async () => {
    const shop = new Shop();
    await shop.open();
    const { app } = await shop.start();
    await shop.send(5);
    await shop.until('the first records', () => shop.isCounted(app));
    await shop.clock.until(app.stop());
    await shop.send(5);
    const admin = await shop.client.admin();
    await admin.deleteRecords([{ topic: clicks.name, partition: 0, offset: 8n }]);
    const { app: again } = await shop.start();
    await shop.until('its end', () => shop.fatal.length > 0);
    assert.deepEqual(
      shop.fatal.map((error) => (error as Error & { code: string }).code),
      ['SLC_TASK_OFFSET_OUT_OF_RANGE'],
    );
    await shop.clock.until(again.stop());
  });
});
