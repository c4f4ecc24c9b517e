/** Two topics of sales, copied into one, which is counted per minute: what upgrades are tested with that add a writer, or an input to one. */
import assert from 'node:assert/strict';
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
  startReplay,
  startStreamApp,
  type StreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';
import { derived, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';
import { readJson } from './read-json.ts';

export const web = origin<string>('web', 1, {}, '0s');
export const till = origin<string>('till', 1, {}, '0s');
const sales = derived<string>('all-sales', 1);
const perMinute = derived<number>('per-minute', 1);

export const copy = (name: string, from: typeof web): Stage =>
  stage(name, (s) => {
    s.stream(from)
      .pipe(mapValues((value) => value))
      .to(sales);
  });
/** The stage of that name, once it reads both. */
export const both = stage('web-sales', (s) => {
  s.stream(web)
    .merge(s.stream(till))
    .pipe(mapValues((value) => value))
    .to(sales);
});
export const counts = stage('counts', (s) => {
  s.stream(sales)
    .pipe(
      windowedBy(tumbling({ size: '1m', grace: '0s' })),
      count({ store: 'counts' }),
      keyBy((r) => `${r.key.key}@${r.key.start / MINUTE}`),
    )
    .to(perMinute);
});

/** The application over a broker in memory. */
export class Shop {
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
    return this.#rowsOf(perMinute.name);
  }

  late(topic = 'counts.late'): unknown[] {
    return readJson(this.broker, topic).map(({ value }) => (value as { timestamp: number }).timestamp / MINUTE);
  }

  /** Of the topology of these stages; what it has given, as `rows` and `late` have it. */
  async replay(
    stages: readonly Stage[],
    chosen: readonly string[] | 'all',
    id: string,
  ): Promise<{ readonly rows: string[]; readonly late: unknown[] }> {
    const run = await this.clock.until(
      startReplay({
        client: this.broker.client(),
        live: buildTopology(stages, { app: 'added' }),
        request: { id, stages: chosen, from: 'earliest', to: 'now' },
        serdes: jsonSerdes,
        logger: pino({ level: 'silent' }),
        clock: this.clock,
        options: { tickMs: 1 },
        onFatal: (error) => this.fatal.push(error),
      }),
    );
    assert.equal(await this.clock.until(run.done), true);
    assert.deepEqual(this.fatal, []);
    return { rows: this.#rowsOf(`${perMinute.name}.${id}`), late: this.late(`counts.${id}.late`) };
  }

  #rowsOf(topic: string): string[] {
    return readJson(this.broker, topic).map(({ key, value }) => `${key}=${String(value)}`);
  }
}
