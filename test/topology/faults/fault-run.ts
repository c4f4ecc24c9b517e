/**
 * An application in several processes under faults: seeded input, its reference computed from the input alone, and what Kafka holds in the end.
 * The application counts clicks per user and minute behind a repartition topic, and sums these per minute in a second stage behind another one.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  BatchBuilder,
  createKafkaClient,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type Parts,
  partitionFor,
  RecordCursor,
  type StreamApp,
  type Topology,
  type TopicPartition,
} from '#topology';
import { randomOf } from '../../random.ts';
import { clickTopics, clickTopology, type Minute, type UserMinute } from '../runtime/app-child.ts';

const CHILD = join(import.meta.dirname, '..', 'runtime', 'app-child.ts');
const USERS = 40;
const START = Date.UTC(2026, 0, 5, 10);
const SPAN_MS = 600_000;
export const PARTITIONS = 6;
export const SESSION_MS = 3_000;
const numbers = Array.from({ length: PARTITIONS }, (_, partition) => partition);

interface WorkerMessage extends Partial<ReturnType<StreamApp['stats']>> {
  readonly type: string;
}

/** A worker process and what it tells. */
export class Worker {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string>;
  ready = false;
  slots: readonly number[] = [];
  commits = 0;
  restored = 0;
  /** Standby copies: how far each is behind, by slot; null before that is known. */
  copies: ReadonlyMap<number, number | null> = new Map();
  log = '';

  constructor(env: NodeJS.ProcessEnv) {
    this.child = fork(CHILD, [], {
      env: { ...process.env, ...env },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.child.stderr?.on('data', (text: Buffer) => {
      this.log += text.toString();
      if (process.env['SLUICE_TEST_LOG'] !== undefined) process.stderr.write(text);
    });
    this.exited = new Promise((resolve) => {
      // Not 'exit': its last words may still be in the pipe then.
      this.child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    this.child.on('message', (message: WorkerMessage) => {
      if (message.type === 'ready') this.ready = true;
      if (message.type !== 'stats') return;
      this.slots = message.slots ?? [];
      this.commits = message.commits ?? 0;
      this.restored = message.restored ?? 0;
      this.copies = new Map(message.standbys?.map(({ slot, lag }) => [slot, lag]));
    });
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<number | string> {
    this.child.kill(signal);
    return await this.exited;
  }
}

/** What came out, as `key=number`, sorted. */
export interface Output {
  readonly users: string[];
  readonly minutes: string[];
}

export class FaultRun {
  readonly app: string;
  readonly brokers: string;
  readonly topics: ReturnType<typeof clickTopics>;
  readonly random: () => number;
  readonly seed: number | string;
  readonly client: KafkaClient;
  readonly workers: Worker[] = [];
  readonly records: number;
  sent = 0;
  readonly #topology: Topology;
  readonly #env: NodeJS.ProcessEnv;
  readonly #own: (nth: number) => NodeJS.ProcessEnv;
  readonly #users = new Map<string, number>();
  readonly #minutes = new Map<string, number>();
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;
  #feeding: Promise<void> | undefined;
  #feedFailed: unknown;
  #limit = 0;
  #perSecond = 0;
  #closed = false;

  /** `env`: of all workers, or of each, counted from 0. `parts`: what runs as applications of their own. */
  constructor(
    name: string,
    brokers: string,
    records: number,
    env: NodeJS.ProcessEnv | ((nth: number) => NodeJS.ProcessEnv) = {},
    parts: Parts = {},
  ) {
    this.app = `${name}-${randomUUID().slice(0, 8)}`;
    this.brokers = brokers;
    this.records = records;
    this.topics = clickTopics(this.app);
    this.#topology = clickTopology(this.app, parts);
    const { random, seed } = randomOf(name);
    this.random = random;
    this.seed = seed;
    const logger = pino({ level: 'silent' });
    this.client = createKafkaClient({ brokers: brokers.split(','), clientId: 'test', logger });
    this.#env = {
      TEST_APP: this.app,
      TEST_KAFKA: brokers,
      TEST_PARTS: JSON.stringify(parts),
      TEST_SESSION_MS: String(SESSION_MS),
      // What was repartitioned is counted.
      TEST_TRIM_MS: '600000',
    };
    this.#own = typeof env === 'function' ? env : () => env;
  }

  get admin(): KafkaAdmin {
    assert.ok(this.#admin, 'open() first');
    return this.#admin;
  }

  async open(): Promise<void> {
    this.#admin = await this.client.admin();
    await this.#admin.ensureTopics([
      { name: this.topics.clicks.name, partitions: PARTITIONS },
      { name: HINTS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
    ]);
    this.#producer = await this.client.producer();
  }

  /** `env`: of this one. */
  start(env: NodeJS.ProcessEnv = {}): Worker {
    const worker = new Worker({ ...this.#env, ...this.#own(this.workers.length), ...env });
    this.workers.push(worker);
    return worker;
  }

  async startAll(count: number): Promise<Worker[]> {
    const workers = Array.from({ length: count }, () => this.start());
    await this.until('workers with all slots', 60_000, () => {
      const slots = workers.flatMap((worker) => worker.slots);
      return slots.length === PARTITIONS && workers.every((worker) => worker.slots.length > 0);
    });
    return workers;
  }

  /** Sends in the background, at about `perSecond`, until `share` of all records has been sent. A later call sets both anew. */
  feed(share: number, perSecond: number): void {
    this.#limit = Math.min(this.records, Math.floor(this.records * share));
    this.#perSecond = perSecond;
    this.#feeding ??= this.#send().catch((error: unknown) => {
      this.#feedFailed = error;
    });
  }

  async #send(): Promise<void> {
    let next = performance.now();
    while (!this.#closed && this.sent < this.records) {
      const count = Math.min(Math.max(1, Math.round(this.#perSecond / 10)), this.#limit - this.sent);
      if (count > 0) await this.#sendSome(count);
      next = Math.max(next + 100, performance.now());
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, next - performance.now())));
    }
  }

  async #sendSome(count: number): Promise<void> {
    const builders = numbers.map(() => new BatchBuilder());
    for (let i = 0; i < count; i++) {
      const user = `user-${Math.floor(this.random() * USERS)}`;
      const at = START + Math.floor(((this.sent + i) * SPAN_MS) / this.records) - Math.floor(this.random() * 4_000);
      const start = at - (at % 60_000);
      add(this.#users, `${start}|${user}`);
      add(this.#minutes, String(start));
      const key = Buffer.from(`${this.sent + i}`);
      builders[partitionFor(key, PARTITIONS)]?.append(key, Buffer.from(JSON.stringify({ user })), at);
    }
    const batches = builders.flatMap((batch, partition) =>
      batch.count === 0 ? [] : [{ topic: this.topics.clicks.name, partition, batch }],
    );
    await this.#sendSurely(batches);
    this.sent += count;
  }

  /** The broker may be away: idempotent only within one producer, so a failed send is asked about before it is done again. */
  async #sendSurely(batches: readonly (TopicPartition & { readonly batch: BatchBuilder })[]): Promise<void> {
    const before = await this.#retried(() => this.admin.offsets(batches, { committed: false }));
    let rest = batches;
    for (let nth = 0; rest.length > 0; nth++) {
      assert.ok(nth < 200, 'the input cannot be sent');
      try {
        this.#producer ??= await this.client.producer();
        await this.#producer.send(rest);
        return;
      } catch {
        await this.#producer?.close().catch(() => undefined);
        this.#producer = undefined;
        await new Promise((resolve) => setTimeout(resolve, 250));
        const ends = await this.#retried(() => this.admin.offsets(batches, { committed: false }));
        rest = batches.filter((_, i) => ends[i]?.end === before[i]?.end);
      }
    }
  }

  async #retried<T>(ask: () => Promise<T>): Promise<T> {
    for (let nth = 0; ; nth++) {
      try {
        return await ask();
      } catch (error) {
        if (nth === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }

  /** Share of all records that the application has read and committed. */
  async committed(): Promise<number> {
    const partitions = numbers.map((partition) => ({ topic: this.topics.clicks.name, partition }));
    const positions = await this.#retried(() => this.admin.committedOffsets(this.app, partitions));
    return positions.reduce((sum, { offset }) => sum + Number(offset), 0) / this.records;
  }

  /** Where a transaction is open now: between the last stable offset and the high watermark. By `topic-partition`, the stable offset. */
  async openTransactions(): Promise<Map<string, bigint>> {
    const topics = this.#topology.internalTopics.map(({ name }) => name);
    const partitions = topics.flatMap((topic) => numbers.map((partition) => ({ topic, partition })));
    const [stable, high] = await Promise.all([
      this.admin.offsets(partitions, { committed: true }),
      this.admin.offsets(partitions, { committed: false }),
    ]);
    return new Map(
      partitions.flatMap(({ topic, partition }, i) => {
        const [at, end] = [stable[i]?.end ?? 0n, high[i]?.end ?? 0n];
        return at < end ? [[`${topic}-${partition}`, at] as const] : [];
      }),
    );
  }

  /** Records in the changelogs, markers among them. */
  async changelogSize(): Promise<number> {
    const topics = this.#topology.changelogs.map(({ topic }) => topic);
    const partitions = topics.flatMap((topic) => numbers.map((partition) => ({ topic, partition })));
    const ranges = await this.admin.offsets(partitions, { committed: true });
    return ranges.reduce((sum, { start, end }) => sum + Number(end - start), 0);
  }

  /** All input has been sent; the clocks may go to the end of time. */
  async finish(): Promise<void> {
    await this.until('all input to be sent', 120_000, () => this.sent === this.records);
    const partitions = numbers.map((partition) => ({ topic: this.topics.clicks.name, partition }));
    const ends = await this.#retried(() => this.admin.offsets(partitions, { committed: true }));
    const batch = new BatchBuilder();
    for (const [partition, { end }] of ends.entries()) {
      const { topic } = partitions[partition] ?? { topic: '' };
      const hint = { writer: 'test', topic, partition, m: START + 3_600_000, endOffset: end, at: Date.now() };
      const { key, value } = encodeHint(hint);
      batch.append(key, value, Date.now());
    }
    await this.#sendSurely([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  get expected(): Output {
    const lines = (of: ReadonlyMap<string, number>): string[] =>
      [...of].map(([key, count]) => `${key}=${count}`).toSorted();
    return { users: lines(this.#users), minutes: lines(this.#minutes) };
  }

  async output(): Promise<Output> {
    const users = await this.#read<UserMinute>(this.topics.users.name);
    const minutes = await this.#read<Minute>(this.topics.minutes.name);
    return {
      users: users.map(({ start, user, clicks }) => `${start}|${user}=${clicks}`).toSorted(),
      minutes: minutes.map(({ start, clicks }) => `${start}=${clicks}`).toSorted(),
    };
  }

  /** How many records the first stage has sent through its repartition topic: one for each input record, or something is there twice. */
  async repartitioned(): Promise<number> {
    const [first] = this.#topology.internalTopics;
    return (await this.#read<unknown>(first?.name ?? '')).length;
  }

  async #read<V>(topic: string): Promise<V[]> {
    const reader = await this.client.reader({ committed: true });
    const open = new Set(numbers);
    for (const partition of open) reader.seek({ topic, partition }, 'earliest');
    const cursor = new RecordCursor();
    const values: V[] = [];
    let end = Date.now() + 30_000;
    try {
      while (open.size > 0) {
        assert.ok(Date.now() < end, `${topic} cannot be read to its end`);
        for (const { partition, batches, nextOffset, endOffset } of await reader.poll(50)) {
          for (const batch of batches) {
            cursor.open(batch);
            while (cursor.next()) values.push(JSON.parse(cursor.valueBytes()?.toString() ?? 'null') as V);
          }
          if (nextOffset >= endOffset) open.delete(partition);
          end = Date.now() + 30_000;
        }
      }
    } finally {
      await reader.close();
    }
    return values;
  }

  /** Waits until every window is there, then compares: 0 duplicates, 0 missing. */
  async assertExact(withinMs = 60_000): Promise<Output> {
    const { expected } = this;
    let found = await this.output();
    const end = Date.now() + withinMs;
    while (found.minutes.length < expected.minutes.length && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      found = await this.output();
    }
    assert.ok(expected.minutes.length > 5 && expected.users.length > 100, 'there is something to compare');
    assert.deepEqual(found, expected, `seed ${this.seed}`);
    return found;
  }

  async until(what: string, ms: number, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + ms;
    while (!(await holds())) {
      if (this.#feedFailed !== undefined) throw this.#feedFailed;
      assert.ok(Date.now() < end, `${what}: not within ${ms / 1_000} s (seed ${this.seed})`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const worker of this.workers) if (worker.runs) worker.child.kill('SIGKILL');
    await this.#feeding;
    await this.client.close();
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
