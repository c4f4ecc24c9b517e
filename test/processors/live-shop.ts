/** The shop live over a broker in memory: bronze is fed in pieces, with hints, while applications die and come. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import {
  applicationsOf,
  BatchBuilder,
  buildTopology,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type Parts,
  partTopology,
  type ReplayRequest,
  type ReplayRun,
  RecordCursor,
  RetriableError,
  type Serde,
  startReplay,
  startStreamApp,
  type StreamApp,
  textSerde,
  type Topology,
} from '#topology';
import { FakeKafka, type Random } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import type { BronzeDump } from '../../dev/verify/oracle-database.ts';
import { shopStages, topics } from '../../processors/index.ts';
import { DAY, PARTITIONS, START } from '../oracles/synthetic.ts';
import { topicOf } from './shop-dump.ts';

const DEADLINE_MS = 60_000;
const FAST = { commitIntervalMs: 10, minCommitIntervalMs: 1, trimIntervalMs: 50 } as const;
const logger = pino({ level: process.env['SLUICE_LOG'] ?? 'silent' });
const bronze = [
  ...Object.values(topics.bronze.shop),
  ...Object.values(topics.bronze.app),
  ...Object.values(topics.bronze.ops),
].map(({ name }) => topicOf(name));

/** Waits for a condition; the message says what did not come. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A client whose process dies: what it had open stays open, and nothing of it comes any more. */
export function mortal(client: KafkaClient): { client: KafkaClient; readonly kill: () => void } {
  let dead = false;
  const living = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (of, name) => {
        const member = Reflect.get(of, name) as unknown;
        if (typeof member !== 'function') return member;
        const harmless = ['close', 'leave', 'seek', 'remove', 'pause', 'resume'].includes(String(name));
        return (...args: unknown[]): unknown => {
          if (dead && String(name) === 'close') return Promise.resolve();
          if (dead && !harmless) return Promise.reject(new RetriableError('SLC_BROKER_AWAY', 'dead'));
          const result = (member as (...args: unknown[]) => unknown).apply(of, args);
          return harmless || !(result instanceof Promise) ? result : result.then((made: unknown) => wrap(made));
        };
      },
    });
  const wrap = (made: unknown): unknown =>
    typeof made === 'object' && made !== null && ('poll' in made || 'commit' in made || 'offsets' in made)
      ? living(made)
      : made;
  return { client: living(client), kill: () => (dead = true) };
}

interface Process {
  /** Of the application. */
  readonly name: string;
  readonly app: StreamApp;
  readonly kill: () => Promise<void>;
}

export class LiveShop {
  readonly broker = new FakeKafka();
  readonly client: KafkaClient = this.broker.client();
  /** The project, if it is divided. */
  readonly topology: Topology;
  readonly serdes = testSerdes();
  readonly fatal: Error[] = [];
  readonly #dump: BronzeDump;
  readonly #random: Random;
  readonly #stateFolder: string | undefined;
  readonly #fed = new Map<string, { records: number; pins: number }>();
  readonly #processes = new Set<Process>();
  readonly #keySerdes = new Map<string, Serde<unknown>>();
  readonly #valueSerdes = new Map<string, Serde<unknown>>();
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;

  /** `stateFolder`: its processes keep state there too. `parts`: what runs as applications of their own. */
  constructor(dump: BronzeDump, random: Random, stateFolder?: string, parts: Parts = {}) {
    this.topology = buildTopology(shopStages, { app: 'shop', parts });
    this.#dump = dump;
    this.#random = random;
    this.#stateFolder = stateFolder;
  }

  async open(): Promise<void> {
    this.#admin = await this.client.admin();
    this.#producer = await this.client.producer();
    await this.#admin.ensureTopics([
      { name: HINTS_TOPIC, partitions: 1 },
      ...bronze.map(({ name, partitions }) => ({ name, partitions })),
    ]);
    for (const topic of bronze) {
      this.#valueSerdes.set(topic.name, await this.serdes.open(`${topic.name}-value`, topic.value, { write: true }));
      const key =
        topic.key === 'text'
          ? (textSerde as Serde<unknown>)
          : await this.serdes.open(`${topic.name}-key`, topic.key, { write: true });
      this.#keySerdes.set(topic.name, key);
    }
    // The dump speaks of three partitions: nothing will ever come in the others.
    for (const { name, partitions } of bronze)
      for (let p = PARTITIONS; p < partitions; p++) await this.#hint(name, p, START + 1_000 * DAY);
    for (const { name } of bronze) {
      if (this.#dump.ends.some((end) => end.topic === name)) continue;
      for (let p = 0; p < PARTITIONS; p++) await this.#hint(name, p, START + 1_000 * DAY);
    }
  }

  /** Another process of the application, or of that one. */
  async start(name = 'shop'): Promise<Process> {
    const { client, kill } = mortal(this.broker.client());
    const app = await startStreamApp({
      client,
      topology: partTopology(this.topology, name),
      serdes: this.serdes,
      logger,
      options: FAST,
      ...(this.#stateFolder === undefined ? {} : { state: { directory: this.#stateFolder } }),
      onFatal: (error) => this.fatal.push(error),
    });
    const process: Process = {
      name,
      app,
      kill: async () => {
        kill();
        this.#processes.delete(process);
        await app.stop();
      },
    };
    this.#processes.add(process);
    return process;
  }

  async startReplay(request: ReplayRequest): Promise<{ run: ReplayRun; readonly kill: () => Promise<void> }> {
    const { client, kill } = mortal(this.broker.client());
    const run = await startReplay({
      client,
      live: this.topology,
      request,
      serdes: this.serdes,
      logger,
      options: FAST,
      onFatal: (error) => this.fatal.push(error),
    });
    return {
      run,
      kill: async () => {
        kill();
        await run.stop();
      },
    };
  }

  /** Feeds up to this share of every partition, with the hints that lie there. */
  async feed(share: number): Promise<void> {
    for (const { topic, partition, end } of this.#dump.ends) {
      const isHere = (each: { topic: string; partition: number }): boolean =>
        each.topic === topic && each.partition === partition;
      const records = this.#dump.records.filter(isHere);
      const pins = this.#dump.pins.filter((each) => isHere(each) && each.at <= end);
      const id = `${topic}|${partition}`;
      const fed = this.#fed.get(id) ?? { records: 0, pins: 0 };
      this.#fed.set(id, fed);
      // Of a partition without records somebody speaks too.
      if (records.length === 0) {
        for (const { m } of pins.slice(fed.pins)) await this.#hint(topic, partition, m);
        fed.pins = pins.length;
      }
      for (const to = Math.ceil(records.length * share); fed.records < to; fed.records++) {
        const record = records[fed.records];
        if (record !== undefined) await this.#send(record);
        const next = records[fed.records + 1]?.offset ?? end + 1n;
        for (const pin of pins.slice(fed.pins)) {
          if (pin.at >= next) break;
          fed.pins++;
          await this.#hint(topic, partition, pin.m);
        }
      }
    }
  }

  /** Every process has read all, and nothing is left to come. */
  async settle(): Promise<void> {
    const apps = applicationsOf(this.topology);
    // One after the other: the last may have written what the first reads.
    for (let round = 0; round < apps.length; round++) {
      for (const name of apps) await until(`${name} settled`, () => this.#isSettled(name));
    }
    assert.deepEqual(this.fatal, []);
  }

  async #isSettled(name: string): Promise<boolean> {
    for (const each of this.#processes) if (each.name === name && (await each.app.settled())) return true;
    return false;
  }

  async close(): Promise<void> {
    for (const { app } of this.#processes) await app.stop();
  }

  /** Writes the last record of a topic once more, with its time a millisecond later: what no stage has written. Returns its key. */
  async rewriteLast(topic: string): Promise<string> {
    const cursor = new RecordCursor();
    for (let partition = 0; ; partition++) {
      const tp = { topic, partition };
      const fetched = this.broker.partition(tp).fetch(tp, 0n, true, 2 ** 30);
      const last = fetched?.batches.at(-1);
      if (last === undefined) continue;
      cursor.open(last);
      assert.ok(cursor.next());
      const batch = new BatchBuilder();
      batch.append(cursor.keyBytes(), cursor.valueBytes(), cursor.timestamp + 1, cursor.headers());
      await this.#producer?.send([{ ...tp, batch }]);
      return cursor.keyBytes()?.toString() ?? '';
    }
  }

  /** A pause of a few commits. */
  async someTime(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#random.int(0, 60)));
  }

  async #send(record: BronzeDump['records'][number]): Promise<void> {
    const { topic, partition, key, value, timestamp } = record;
    const batch = new BatchBuilder();
    const keyBytes = this.#keySerdes.get(topic)?.serialize(key) ?? null;
    batch.append(keyBytes, value === null ? null : (this.#valueSerdes.get(topic)?.serialize(value) ?? null), timestamp);
    await this.#producer?.send([{ topic, partition, batch }]);
  }

  async #hint(topic: string, partition: number, m: number): Promise<void> {
    const endOffset = this.broker.partition({ topic, partition }).end(true);
    const { key, value } = encodeHint({ writer: 'test', topic, partition, m, endOffset, at: 0 });
    const batch = new BatchBuilder();
    batch.append(key, value, 0);
    await this.#producer?.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }
}
