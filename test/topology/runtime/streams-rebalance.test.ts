/**
 * The stages of stream-topology.ts in applications that come and go over the broker in memory: slots change hands in mid-stream, and the committed output
 * is what the definition says. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  DEFAULT_PARTITIONS,
  HINTS_TOPIC,
  type KafkaProducer,
  partitionFor,
  RecordCursor,
  startStreamApp,
  type StreamApp,
} from '#topology';
import { FakeKafka, random, type Random } from '#topology/testing';
import { jsonSerdes } from '../dsl/support.ts';
import { type Event, events, type Fed, PARTITIONS, rates } from './random-topology.ts';
import { expectStreams } from './stream-oracle.ts';
import { type Row, streamOutputs, streamStages, UPDATED } from './stream-topology.ts';

const SEEDS = 4;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const DEADLINE_MS = 30_000;
const logger = pino({ level: 'silent' });
const partitions = Array.from({ length: PARTITIONS }, (_, p) => p);
/** Event time by which everything has closed, ms after the last record. */
const LATER = 1_000;

class Installation {
  readonly broker = new FakeKafka();
  readonly fed: Fed = { events: [], rates: [] };
  readonly fatal: Error[] = [];
  readonly #apps: StreamApp[] = [];
  #producer: KafkaProducer | undefined;
  started = 0;

  async open(): Promise<void> {
    const client = this.broker.client();
    const admin = await client.admin();
    const topics = [events, rates].map(({ name }) => ({ name, partitions: PARTITIONS }));
    await admin.ensureTopics([...topics, { name: HINTS_TOPIC, partitions: 1 }]);
    this.#producer = await client.producer();
  }

  async start(): Promise<void> {
    const app = await startStreamApp({
      client: this.broker.client(),
      topology: buildTopology(streamStages, { app: 'test' }),
      serdes: jsonSerdes,
      logger,
      options: { tickMs: 1, trimIntervalMs: 20, commitIntervalMs: 5, minCommitIntervalMs: 1 },
      onFatal: (error) => this.fatal.push(error),
    });
    this.started++;
    this.#apps.push(app);
  }

  get apps(): number {
    return this.#apps.length;
  }

  async stopOne(): Promise<void> {
    await this.#apps.shift()?.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.stop()));
  }

  async #send(topic: string, key: string, value: unknown, timestamp: number, partition: number): Promise<bigint> {
    const batch = new BatchBuilder();
    batch.append(Buffer.from(key), Buffer.from(JSON.stringify(value)), timestamp);
    const [sent] = (await this.#producer?.send([{ topic, partition, batch }])) ?? [];
    return sent?.baseOffset ?? -1n;
  }

  async event(value: Event, timestamp: number, partition: number): Promise<void> {
    const offset = await this.#send(events.name, value.id, value, timestamp, partition);
    this.fed.events.push({ partition, offset, timestamp, key: value.id, value });
  }

  async rate(key: string, value: number, timestamp: number, partition: number): Promise<void> {
    const offset = await this.#send(rates.name, key, value, timestamp, partition);
    this.fed.rates.push({ partition, offset, timestamp, key, value });
  }

  /** Committed records of a topic: key and value as JSON gives it. */
  read(topic: string, count = PARTITIONS): { key: string; value: unknown }[] {
    const cursor = new RecordCursor();
    return Array.from({ length: count }, (_, p) => p).flatMap((partition) => {
      const tp = { topic, partition };
      const found: { key: string; value: unknown }[] = [];
      for (let offset = 0n; ;) {
        const fetched = this.broker.partition(tp).fetch(tp, offset, true, 2 ** 20);
        for (const batch of fetched?.batches ?? []) {
          cursor.open(batch);
          while (cursor.next()) {
            const value = cursor.valueBytes();
            found.push({ key: String(cursor.keyBytes()), value: value === null ? null : JSON.parse(String(value)) });
          }
        }
        if (fetched === undefined || fetched.nextOffset >= fetched.endOffset) return found;
        offset = fetched.nextOffset;
      }
    });
  }

  rows(topic: string): string[] {
    const text = (value: unknown): string => `${(value as Row).key} ${(value as Row).text}`;
    const all = this.read(topic);
    if (!UPDATED.has(topic)) return all.map(({ value }) => text(value)).sort();
    const table = new Map(all.map(({ key, value }) => [key, value]));
    return [...table.values()]
      .filter((value) => value !== null)
      .map(text)
      .sort();
  }

  late(stage: string): string[] {
    return this.read(`${stage}.late`, DEFAULT_PARTITIONS)
      .map(({ value }) => value as { key: string; windowStart: number | null; timestamp: number })
      .map(({ key, windowStart, timestamp }) => `${key}${windowStart === null ? '' : `@${windowStart}`} ${timestamp}`)
      .sort();
  }
}

async function feedRandom(installation: Installation, g: Random): Promise<void> {
  let now = 100;
  for (let id = 0; id < 150; id++) {
    now += g.chance(0.1) ? g.int(0, 40) : g.int(0, 4);
    const timestamp = now - (g.chance(0.4) ? g.int(0, 10) : g.chance(0.1) ? g.int(0, 60) : 0);
    const key = `k${g.int(0, 3)}`;
    if (g.chance(0.3)) await installation.rate(key, g.int(0, 3), timestamp, partitionFor(Buffer.from(key), PARTITIONS));
    else await installation.event({ id: `e${id}`, key, n: 1 }, timestamp, g.int(0, PARTITIONS - 1));
    if (g.chance(0.2)) await new Promise((resolve) => setTimeout(resolve, g.int(0, 15)));
    if (installation.apps < 3 && g.chance(0.06)) await installation.start();
    if (installation.apps > 1 && g.chance(0.06)) await installation.stopOne();
  }
  for (const partition of partitions) {
    await installation.event({ id: `end${partition}`, key: 'end', n: 1 }, now + LATER, partition);
    await installation.rate('end', 0, now + LATER, partition);
  }
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > end) return; // the comparison that follows tells what is wrong
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('applications that come and go', () => {
  test('sessions, sliding windows, stream joins and suppress give what their definition says', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let started = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const installation = new Installation();
      await installation.open();
      await installation.start();
      try {
        await feedRandom(installation, random(seed));
        const wanted = expectStreams(installation.fed, []);
        const equals = (found: string[], list: string[] | undefined): boolean => found.join('\n') === list?.join('\n');
        await until(() =>
          Object.values(streamOutputs).every(({ name }) => equals(installation.rows(name), wanted.rows[name])),
        );
        for (const { name } of Object.values(streamOutputs))
          assert.deepEqual(installation.rows(name), wanted.rows[name], `SLUICE_SEED=${seed}: ${name}`);
        for (const { name } of streamStages)
          assert.deepEqual(installation.late(name), wanted.late[name], `SLUICE_SEED=${seed}: ${name}.late`);
        assert.deepEqual(installation.fatal, [], `SLUICE_SEED=${seed}`);
      } finally {
        await installation.close();
      }
      started += installation.started;
    }
    t.diagnostic(`${started} applications`);
    assert.ok(started > SEEDS, 'no slot changed hands');
  });
});
