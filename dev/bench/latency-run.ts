/** One run of one engine at a steady rate: each record from the moment it is due until a read_committed reader has it. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchBuilder, type KafkaClient, type KafkaProducer, RecordCursor } from '#topology';
import { AvroReader } from './avro-writer.ts';
import { readOutput } from './check-output.ts';
import { latenciesOf, type LatencyRun } from './latency-report.ts';
import { removeTopics } from './load.ts';
import { hasEnded, startAll, stopEngine } from './processes.ts';
import { loadNow, TreeUsage } from './usage.ts';
import { type LoadedRecord, pageviews, PARTITIONS } from './workload.ts';

/** What one run needs. */
export interface LatencyRunOptions {
  readonly client: KafkaClient;
  readonly engine: LatencyRun['engine'];
  /** Started with `env` and INPUT, OUTPUT, APP_ID, STATE_DIR in its environment; SIGTERM ends it. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly rate: number;
  /** In all. */
  readonly records: number;
  /** The first of them, whose time does not count. */
  readonly warmup: number;
  readonly expected: string;
  /** A record that is still not seen when nothing has come for so long is missing. Default 30 s. */
  readonly stuckMs?: number;
  /** State and logs. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Sent at once when the engine has started, and waited for: what it does once does not count. */
const FIRST = 600;
const FIRST_OUTPUT_MS = 90_000;
const STUCK_MS = 30_000;
const POLL_MS = 100;
const TICK_MS = 2;

/** Runs once. Rejects when the engine ends by itself or writes nothing; missing or wrong rows are told in the result. */
export async function measureLatency(options: LatencyRunOptions): Promise<LatencyRun> {
  const { client, engine, folder, records } = options;
  const id = `latency-${engine}-${Date.now().toString(36)}`;
  const names = { APP_ID: id, INPUT: `in.${id}`, OUTPUT: `out.${id}`, STATE_DIR: join(folder, 'state', id) };
  const log = join(folder, `${id}.log`);
  const admin = await client.admin();
  await admin.ensureTopics([names.INPUT, names.OUTPUT].map((name) => ({ name, partitions: PARTITIONS })));
  await mkdir(names.STATE_DIR, { recursive: true });
  const load = loadNow();
  const children = startAll(options.command, 1, { ...options.env, ...names }, log);
  const watcher = new Watcher(client, names.OUTPUT, records);
  const watching = watcher.run();
  // It is awaited below, where its error is thrown; until then it must not be an unhandled one.
  watching.catch(() => undefined);
  try {
    const sender = new Sender(await client.producer(), names.INPUT, options);
    await sender.sendAtOnce(FIRST);
    await watcher.until(FIRST, FIRST_OUTPUT_MS, children, options);
    const usage = new TreeUsage(children.flatMap(({ pid }) => pid ?? []));
    const before = usage.sample();
    const rate = await sender.sendSteadily();
    await watcher.until(records, options.stuckMs ?? STUCK_MS, children, options);
    const cpuSeconds = usage.sample() - before;
    await sender.close();
    await Promise.all(children.map(stopEngine));
    watcher.stop();
    await watching;
    const { checksum } = await readOutput(client, names.OUTPUT, 'enriched');
    const times = latenciesOf(sender.due, watcher.seen, options.warmup);
    const checksumOk = checksum === options.expected;
    return { engine, ...times, rate, cpuSeconds, checksum, checksumOk, load: [load, loadNow()], log };
  } finally {
    watcher.stop();
    await Promise.all(children.map(stopEngine));
    await watching.catch(() => undefined);
    await removeTopics(admin, id);
    await rm(names.STATE_DIR, { recursive: true, force: true });
    await admin.close();
  }
}

/** Sends by the clock, whatever the engine does: a record that leaves late was due all the same, and its time counts from then. */
class Sender {
  /** When each record was due, ms of performance.now(). */
  readonly due: Float64Array;
  readonly #producer: KafkaProducer;
  readonly #topic: string;
  readonly #options: LatencyRunOptions;
  readonly #views: Generator<LoadedRecord>;
  readonly #batches = Array.from({ length: PARTITIONS }, () => new BatchBuilder());
  #sent = 0;

  constructor(producer: KafkaProducer, topic: string, options: LatencyRunOptions) {
    this.#producer = producer;
    this.#topic = topic;
    this.#options = options;
    this.#views = pageviews(options);
    this.due = new Float64Array(options.records);
  }

  async sendAtOnce(count: number): Promise<void> {
    const now = performance.now();
    await this.#sendUpTo(count, () => now);
  }

  /** The rest; returns the records per second that left. */
  async sendSteadily(): Promise<number> {
    const { rate, records, signal } = this.#options;
    const before = this.#sent;
    const start = performance.now();
    const dueAt = (nth: number): number => start + ((nth - before) * 1_000) / rate;
    while (this.#sent < records) {
      const due = before + Math.floor(((performance.now() - start) * rate) / 1_000);
      await this.#sendUpTo(Math.min(due, records), dueAt);
      await sleep(TICK_MS, undefined, { signal });
    }
    return ((records - before) * 1_000) / (performance.now() - start);
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  async #sendUpTo(count: number, dueAt: (nth: number) => number): Promise<void> {
    for (; this.#sent < count; this.#sent++) {
      const { done, value: view } = this.#views.next();
      if (done === true) throw new Error(`there are only ${this.#sent} records`);
      this.#batches[view.partition]?.append(view.key, view.value, view.timestamp);
      this.due[this.#sent] = dueAt(this.#sent);
    }
    const ready = this.#batches.flatMap((batch, partition) =>
      batch.count > 0 ? [{ topic: this.#topic, partition, batch }] : [],
    );
    if (ready.length > 0) await this.#producer.send(ready);
    for (const { batch } of ready) batch.reset();
  }
}

/** Reads the output as it is committed. */
class Watcher {
  /** When each record was first seen, ms of performance.now(); NaN: never. */
  readonly seen: Float64Array;
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #cursor = new RecordCursor();
  readonly #avro = new AvroReader();
  #count = 0;
  #grew = performance.now();
  #stopped = false;
  #error: unknown;

  constructor(client: KafkaClient, topic: string, records: number) {
    this.#client = client;
    this.#topic = topic;
    this.seen = new Float64Array(records).fill(Number.NaN);
  }

  async run(): Promise<void> {
    const reader = await this.#client.reader({ committed: true });
    for (let partition = 0; partition < PARTITIONS; partition++) {
      reader.seek({ topic: this.#topic, partition }, 'earliest');
    }
    try {
      while (!this.#stopped) {
        const fetched = await reader.poll(POLL_MS);
        const now = performance.now();
        for (const { batches } of fetched) {
          for (const batch of batches) {
            this.#cursor.open(batch);
            while (this.#cursor.next()) this.#see(this.#cursor.valueBytes(), now);
          }
        }
      }
    } catch (error) {
      this.#error = error;
      throw error;
    } finally {
      await reader.close();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when so many were seen, or nothing new came for `stuckMs` after something had. */
  async until(
    count: number,
    stuckMs: number,
    children: readonly ChildProcess[],
    { engine, signal }: LatencyRunOptions,
  ): Promise<void> {
    this.#grew = performance.now();
    while (this.#count < count) {
      if (this.#error !== undefined) throw this.#error;
      if (children.some(hasEnded)) throw new Error(`${engine} ended by itself; its log is in the benchmark's folder`);
      if (performance.now() - this.#grew > stuckMs) {
        if (this.#count > 0) return;
        throw new Error(`${engine} wrote nothing in ${stuckMs} ms`);
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  /** An event id begins with the number of the record. */
  #see(value: Buffer | null, now: number): void {
    if (value === null) return;
    const nth = Number(this.#avro.open(value).text().slice(0, 8));
    if (!Number.isNaN(this.seen[nth])) return;
    this.seen[nth] = now;
    this.#count++;
    this.#grew = now;
  }
}
