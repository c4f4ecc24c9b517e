/**
 * A project under chaos, as one application or as several: one to four instances (of each application one at least, in the end) that come, go, die and stand
 * still, over a broker that does not always answer; and its replay, as one application.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  applicationsOf,
  BatchBuilder,
  buildTopology,
  encodeHint,
  type Hint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  ledgerTopicOf,
  type Logger,
  parseLedgerRecord,
  type Parts,
  partTopology,
  type Pin,
  RecordCursor,
  startReplay,
  startStreamApp,
  type StreamApp,
  TIME_HEADER,
  type Topology,
} from '#topology';
import { ChaosClient, type Random } from '#topology/testing';
import { FRAME, framedSerdes } from '../dsl/support.ts';
import { type Event, events, type Fed, OUT_OF_ORDERNESS, PARTITIONS, rates } from '../runtime/random-topology.ts';
import { type Happened, NOTHING_HAPPENED } from './happened.ts';
import type { Scenario, Written } from './scenario.ts';
import { shuffled } from './shuffled.ts';
import { hintsOf, type Planned } from './workload.ts';
import type { World } from './world.ts';

const logger = pino({ level: process.env['SLUICE_TEST_LOG'] ?? 'silent' });
/** Of a variable, so that whoever starts runs in processes of their own can say so. */
const STANDBY = Number(process.env['SLUICE_TEST_STANDBY'] ?? '0');
/** Each instance keeps its state in a directory of its own. */
const ON_DISK = process.env['SLUICE_TEST_STATE'] === 'persistent';
const MOST_INSTANCES = 4;
const LATE_PARTITIONS = 6;
const SESSION_TIMEOUT_MS = 10_000;

interface Instance {
  /** Of the application that it runs. */
  readonly name: string;
  readonly app: StreamApp;
  readonly chaos: ChaosClient;
  readonly directory: string | undefined;
}

export class Installation {
  readonly fed: Fed = { events: [], rates: [] };
  readonly happened: Happened = { ...NOTHING_HAPPENED };
  readonly fatal: Error[] = [];
  /** What it is at. */
  doing = 'open';
  readonly #world: World;
  readonly #project: Topology;
  readonly #apps: readonly string[];
  readonly #random: Random;
  readonly #client: KafkaClient;
  readonly #ends = new Map<string, bigint[]>();
  #instances: Instance[] = [];
  readonly #root = ON_DISK ? mkdtempSync(join(tmpdir(), 'sluice-determinism-')) : undefined;
  #directories = 0;
  /** Of instances that were killed: their files are as the kernel has them, and locked while this process lives. */
  readonly #left: string[] = [];
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;

  constructor(
    world: World,
    scenario: Scenario,
    random: Random,
    { app = 'test', parts = {} }: { readonly app?: string | undefined; readonly parts?: Parts | undefined } = {},
  ) {
    this.#world = world;
    this.#random = random;
    this.#project = buildTopology(scenario.stages, { app, parts });
    this.#apps = applicationsOf(this.#project);
    this.#client = world.client();
  }

  /** For a run that stands still: where it is, and what its instances say. */
  report(): string {
    const instances = this.#instances.map(({ name, app, chaos }) => ({
      name,
      isCalm: chaos.isCalm,
      stats: app.stats(),
      inputs: app.inputs(),
    }));
    const { doing, happened, fatal } = this;
    return JSON.stringify({ doing, happened, fatal: fatal.map(String), instances }, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  }

  async open(): Promise<void> {
    this.#admin = await this.#client.admin();
    const topics = [events, rates].map(({ name }) => ({ name, partitions: PARTITIONS }));
    await this.#admin.ensureTopics([...topics, { name: HINTS_TOPIC, partitions: 1 }]);
    this.#producer = await this.#client.producer();
    for (const name of shuffled(this.#apps, this.#random)) await this.#start(name);
    if (this.#random.chance(0.7)) await this.#start();
  }

  /** Writes a record and perhaps what its source says, then lets something happen. */
  async step(planned: Planned): Promise<void> {
    this.doing = `write ${planned.key}`;
    await this.#write(planned);
    if (planned.said !== undefined) await this.say(planned.said.topic, planned.said.time);
    const g = this.#random;
    if (g.chance(0.3)) {
      await this.#world.until(this.#world.clock.sleep(g.int(0, 20)));
      // Looked at until it is seen: the statistics of an application are not for nothing.
      const isSeen = this.happened.waits > 0;
      if (!isSeen && this.#instances.some(({ app }) => app.stats().waits.length > 0)) this.happened.waits++;
    }
    this.doing = 'happen';
    if (g.chance(0.025)) await this.#happen();
  }

  /** Everything of a topic before `time` is there. */
  async say(topic: string, time: number): Promise<void> {
    const ends = Array.from({ length: PARTITIONS }, (_, p) => this.#ends.get(topic)?.[p] ?? 0n);
    const batch = new BatchBuilder();
    for (const hint of hintsOf(topic, time, ends, this.#world.clock.now())) {
      const { key, value } = encodeHint(hint satisfies Hint);
      batch.append(key, value, this.#world.clock.now());
    }
    await this.#producer?.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  /** Calm, one instance, everything read, pinned and out: true when it comes to that. */
  async settle(end: number): Promise<void> {
    this.doing = 'calm';
    for (const name of this.#apps) {
      while (this.#running(name) > 1) await this.#stop(name);
      if (this.#running(name) === 0) await this.#start(name);
    }
    for (const { chaos } of this.#instances) chaos.isCalm = true;
    this.doing = 'settle';
    await this.say(events.name, end);
    await this.say(rates.name, end);
    const wanted = end - OUT_OF_ORDERNESS;
    await this.#world.until(this.#settled(wanted));
  }

  async #settled(m: number): Promise<void> {
    const { clock } = this.#world;
    const commits = (): number => this.#instances.reduce((sum, { app }) => sum + app.stats().commits, 0);
    for (;;) {
      if (this.fatal[0] !== undefined) throw this.fatal[0];
      const inputs = this.#instances.flatMap(({ app }) => app.inputs());
      const origins = inputs.filter(({ topic }) => topic === events.name || topic === rates.name);
      const isThere = origins.length > 0 && origins.every(({ watermark }) => watermark >= m);
      const before = commits();
      // What one application writes another one has to read: all of them at rest, and nothing was said in between.
      if (isThere && (await this.#areSettled()) && (await this.#areSettled()) && commits() === before) return;
      await clock.sleep(20);
    }
  }

  async #areSettled(): Promise<boolean> {
    for (const { app } of this.#instances) if (!(await app.settled())) return false;
    return true;
  }

  async close(): Promise<void> {
    this.doing = 'close';
    for (const { chaos } of this.#instances) this.happened.failures += chaos.failures;
    for (const { app } of this.#instances) await this.#world.until(app.stop());
    this.#instances = [];
    await this.#producer?.close();
    await this.#admin?.close();
    await this.#client.close();
    if (this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true });
  }

  /** The whole log once more, in one instance without a fault, by the pins of this run. */
  async replay(): Promise<{ readonly topicOf: (name: string) => string; readonly stageOf: (name: string) => string }> {
    this.doing = 'replay';
    const id = 'again';
    const run = await this.#world.until(
      startReplay({
        client: this.#client,
        live: this.#project,
        request: { id, stages: 'all', from: 'earliest', to: 'now' },
        serdes: framedSerdes,
        logger,
        clock: this.#world.clock,
        options: { tickMs: 1 },
        onFatal: (error) => this.fatal.push(error),
      }),
    );
    const done = await this.#world.until(run.done);
    if (!done) throw new Error('the replay has ended early');
    return { topicOf: (name) => `${name}.${id}`, stageOf: (name) => `${name}.${id}` };
  }

  /** Committed records of a topic, partition by partition. */
  async read(topic: string, partitions = PARTITIONS): Promise<Written[]> {
    const found: Written[] = [];
    await this.#each(topic, partitions, (cursor) => {
      const value = cursor.valueBytes();
      found.push({
        key: String(cursor.keyBytes()),
        value: value === null ? null : JSON.parse(value.toString('utf8', value[0] === 0 ? FRAME.length : 0)),
        timestamp: cursor.timestamp,
        time: cursor.header(TIME_HEADER)?.toString('hex') ?? '',
      });
    });
    return found;
  }

  /** What a stage found late. */
  async late(stage: string): Promise<Written[]> {
    return this.read(`${stage}.late`, LATE_PARTITIONS);
  }

  /** How many dead letters a stage has. */
  async deadLetters(stage: string): Promise<number> {
    let n = 0;
    await this.#each(`${stage}.dlq`, LATE_PARTITIONS, () => n++);
    return n;
  }

  async pins(): Promise<Pin[]> {
    const pins: Pin[] = [];
    for (const app of this.#apps) {
      await this.#each(ledgerTopicOf(app), 1, (cursor) => {
        const record = parseLedgerRecord(cursor.keyBytes(), cursor.valueBytes());
        if (record?.kind === 'pin') pins.push(record);
      });
    }
    return pins;
  }

  async #each(topic: string, partitions: number, take: (cursor: RecordCursor) => void): Promise<void> {
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const ends = (await this.#admin?.offsets(all, { committed: true })) ?? [];
    const open = new Map(ends.flatMap(({ start, end }, p) => (start < end ? [[p, end] as const] : [])));
    const reader = await this.#client.reader({ committed: true });
    for (const partition of open.keys()) reader.seek({ topic, partition }, 'earliest');
    const cursor = new RecordCursor();
    while (open.size > 0) {
      for (const { partition, batches, nextOffset } of await this.#world.until(reader.poll(100))) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) take(cursor);
        }
        if (nextOffset >= (open.get(partition) ?? 0n)) open.delete(partition);
      }
    }
    await reader.close();
  }

  async #write({ topic, key, value, timestamp, partition }: Planned): Promise<void> {
    const batch = new BatchBuilder();
    batch.append(
      Buffer.from(key),
      value === null ? null : Buffer.concat([FRAME, Buffer.from(JSON.stringify(value))]),
      timestamp,
    );
    const [sent] = (await this.#producer?.send([{ topic, partition, batch }])) ?? [];
    const offset = sent?.baseOffset ?? -1n;
    const ends = this.#ends.get(topic) ?? Array.from({ length: PARTITIONS }, () => 0n);
    this.#ends.set(topic, ends);
    ends[partition] = offset + 1n;
    const logged = { partition, offset, timestamp, key };
    if (topic === events.name) this.fed.events.push({ ...logged, value: value as Event });
    else this.fed.rates.push({ ...logged, value: value as number | null });
  }

  async #happen(): Promise<void> {
    const g = this.#random;
    const what = g.int(0, 9);
    if (what < 3 && this.#instances.length < MOST_INSTANCES + this.#apps.length - 1) return this.#start();
    if (what < 5 && this.#instances.length > 1) return this.#stop();
    if (what < 8 && this.#instances.length > 0) return this.#kill();
    if (this.#instances.length > 0) await this.#freeze();
  }

  #running(name: string): number {
    return this.#instances.filter((instance) => instance.name === name).length;
  }

  async #start(name = this.#apps[this.#random.int(0, this.#apps.length - 1)] ?? ''): Promise<void> {
    const g = this.#random;
    const { clock } = this.#world;
    const failures = g.chance(0.3) ? 0 : 0.03;
    const chaos = new ChaosClient(this.#world.client(), { clock, random: g, failures, delayMs: g.int(0, 6) });
    const directory = this.#directory();
    const app = await this.#world.until(
      startStreamApp({
        client: chaos,
        topology: partTopology(this.#project, name),
        serdes: framedSerdes,
        logger: this.#listener(),
        standby: STANDBY,
        ...(directory !== undefined && {
          // What a former owner has left may be of the other kind.
          state: { directory, checkpointMs: g.int(5, 500), stages: g.chance(0.7) ? 'disk' : 'memory' },
        }),
        clock: chaos.clock,
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        options: {
          tickMs: 1,
          trimIntervalMs: g.int(20, 200),
          commitIntervalMs: g.int(5, 80),
          minCommitIntervalMs: g.int(2, 20),
          maxBatchRecords: g.chance(0.3) ? g.int(1, 20) : 5_000,
          maxSkewMs: g.chance(0.5) ? Infinity : g.int(0, 40),
        },
        onFatal: (error) => this.fatal.push(error),
      }),
    );
    chaos.isCalm = false;
    if (this.#running(name) > 0) this.happened.rebalances++;
    this.#instances.push({ name, app, chaos, directory });
    this.happened.instances = Math.max(this.happened.instances, this.#instances.length);
  }

  /** Counts what slots were taken with; the rest of what is said goes on. */
  #listener(): Logger {
    const on = (level: 'debug' | 'warn' | 'error'): Logger['debug'] => logger[level].bind(logger) as Logger['debug'];
    const info = (detail: object, text?: string): void => {
      const { standby, restored, copy } = detail as { standby?: boolean; restored?: number; copy?: string };
      if (standby === true || copy === 'file') this.happened.takeovers++;
      if (standby === true) this.happened.restored += restored ?? 0;
      logger.info(detail, text);
    };
    return { debug: on('debug'), info, warn: on('warn'), error: on('error') };
  }

  /** A new one, perhaps with what a machine that was killed has left. */
  #directory(): string | undefined {
    if (this.#root === undefined) return undefined;
    const directory = join(this.#root, String(++this.#directories));
    const left = this.#random.chance(0.5) ? this.#left.shift() : undefined;
    // Who never had a slot has left nothing.
    if (left !== undefined && existsSync(left)) cpSync(left, directory, { recursive: true });
    return directory;
  }

  #take(name?: string): Instance | undefined {
    const own = this.#instances.filter((instance) => name === undefined || instance.name === name);
    const taken = own[this.#random.int(0, own.length - 1)];
    this.#instances = this.#instances.filter((instance) => instance !== taken);
    return taken;
  }

  async #stop(name?: string): Promise<void> {
    const instance = this.#take(name);
    if (instance === undefined) return;
    this.happened.rebalances++;
    this.happened.failures += instance.chaos.failures;
    await this.#world.until(instance.app.stop());
  }

  /** As `kill -9`; somebody starts it again, sooner or later. */
  async #kill(): Promise<void> {
    const instance = this.#take();
    if (instance === undefined) return;
    this.happened.crashes++;
    this.happened.failures += instance.chaos.failures;
    await this.#world.until(instance.chaos.kill());
    if (instance.directory !== undefined) this.#left.push(instance.directory);
    if (this.#running(instance.name) > 0) this.happened.rebalances++;
    if (this.#instances.length === 0 || this.#random.chance(0.5)) await this.#start(instance.name);
  }

  /** It stands still, the group gives its slots away, and it goes on without knowing. */
  async #freeze(): Promise<void> {
    const nth = this.#random.int(0, this.#instances.length - 1);
    this.happened.rebalances++;
    await this.#instances[nth]?.chaos.freeze(this.#random.int(10, 200));
  }
}
