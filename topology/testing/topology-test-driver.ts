/**
 * Runs a topology without a broker: the engine's own slots, tasks and stores over logs in memory, with real bytes, several partitions, virtual
 * time, a seeded order of events, and crashes. Nothing happens but in `run`.
 */
import { buildTopology, type Topology } from '../dsl/topology.ts';
import type { Stage } from '../dsl/stage.ts';
import { TopologyError } from '../errors.ts';
import { partitionFor } from '../partitioner.ts';
import { BatchBuilder } from '../record-batch.ts';
import { type Serde, type SerdeFactory, textSerde } from '../serde.ts';
import type { StateStore } from '../state/store.ts';
import { asBuffer, decodeValue } from '../state/value-codec.ts';
import { type LedgerRecord, parseLedgerRecord, type Pin, type WriterPromise } from '../time/ledger-records.ts';
import type { TimePolicyName } from '../time/time-policy.ts';
import { isTimeHeader, TIME_HEADER, watermarkOf } from '../time/time-header.ts';
import type { Topic } from '../topic.ts';
import { Slot } from '../runtime/slot.ts';
import { queryTable, type ReadOnlyTable } from '../runtime/read-only-table.ts';
import type { Task, TaskCounts } from '../runtime/task.ts';
import { deadLetterTopicOf, lateTopicOf } from '../runtime/task-output.ts';
import { endsByTopic, makeSlotParts, numberedNames, wire, type Wiring, writtenPartitions } from '../runtime/wiring.ts';
import { HintView } from '../runtime/hints.ts';
import { GlobalTableFollower } from './global-table-follower.ts';
import { MemoryLog } from './memory-log.ts';
import { random, type Random } from './random.ts';

/** Options of the driver. `seed` decides every order that is free; the same seed gives the same run. */
export interface TestDriverOptions {
  readonly stages: readonly Stage[];
  readonly serdes: SerdeFactory;
  readonly app?: string;
  readonly seed?: number;
  /** Chance that a commit is lost by a crash, 0 to 1: state, outputs and positions fall back to the last commit. */
  readonly crashes?: number;
  /** A replay: clocks move by these pins and no others; hints are ignored. */
  readonly pins?: readonly Pin[];
  readonly tickMs?: number;
  /** As for `buildTopology`. */
  readonly time?: TimePolicyName;
}

/** What a test puts in. Without `partition` the key decides, as in Kafka. */
export interface TestInput {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly partition?: number;
}

/** What a test reads. `originWatermark` (ms) is there in derived topics. */
export interface TestOutput {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly partition: number;
  readonly originWatermark: number | undefined;
}

/** A late record as the engine wrote it. */
export interface TestLate {
  readonly reason: string;
  readonly latenessMs: number;
  readonly windowStart: number | null;
  readonly windowEnd: number | null;
  readonly key: string | null;
  readonly value: unknown;
  readonly timestamp: number;
}

interface Serdes {
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
}

interface RunningSlot {
  readonly slot: Slot;
  readonly fetched: Map<string, bigint>;
  heard: number;
}

export class TopologyTestDriver {
  readonly topology: Topology;
  readonly #wiring: Wiring;
  readonly #serdes: SerdeFactory;
  readonly #options: TestDriverOptions;
  readonly #random: Random;
  readonly #logs = new Map<string, MemoryLog[]>();
  readonly #ledger: LedgerRecord[] = [];
  readonly #offsets = new Map<string, { offset: bigint; clock: number }>();
  readonly #slots = new Map<number, RunningSlot>();
  readonly #hints = new HintView();
  readonly #opened = new Map<string, Promise<Serdes>>();
  readonly #globalTables: GlobalTableFollower;
  #now = 0;

  /** Builds the topology; rejects with TopologyError as `buildTopology` does. */
  static async create(options: TestDriverOptions): Promise<TopologyTestDriver> {
    const topology = buildTopology(options.stages, { app: options.app ?? 'test', time: options.time ?? 'watermark' });
    const roster = { names: numberedNames(topology), floors: {}, checksAll: true };
    const wiring = await wire(topology, options.serdes, roster);
    return new TopologyTestDriver(topology, wiring, options);
  }

  private constructor(topology: Topology, wiring: Wiring, options: TestDriverOptions) {
    this.topology = topology;
    this.#wiring = wiring;
    this.#serdes = options.serdes;
    this.#options = options;
    this.#random = random(options.seed ?? 1);
    const logOf = (topic: string, partition: number): MemoryLog => this.#log(topic, partition);
    this.#globalTables = new GlobalTableFollower(wiring.globalTables.values(), logOf);
  }

  /** Appends a record to a topic and returns its offset. Nothing is processed before `run`; only global tables have it at once. */
  async pipeInput<K, V>(topic: Topic<K, V>, input: TestInput): Promise<bigint> {
    const { keySerde, valueSerde } = await this.#serdesOf(topic);
    const key = input.key === null ? null : keySerde.serialize(input.key);
    const value = input.value === null ? null : valueSerde.serialize(input.value);
    const partition = input.partition ?? partitionFor(key ?? Buffer.alloc(0), topic.partitions);
    const batch = new BatchBuilder();
    batch.append(key, value, input.timestamp);
    const offset = this.#log(topic.name, partition).append(batch);
    await this.#globalTables.follow();
    return offset;
  }

  /** Moves the end of a partition's log: a hole, as transaction markers and aborted records leave it. Offsets before the end stay. */
  skipTo<K, V>(topic: Topic<K, V>, partition: number, offset: bigint): void {
    this.#log(topic.name, partition).skipTo(offset);
  }

  /** Says that everything before `timestamp` (ms) has been written to all partitions of an origin topic: what a caught-up connector's hint says. */
  completeUpTo<K, V>(topic: Topic<K, V>, timestamp: number): void {
    const m = timestamp - (topic.origin?.outOfOrdernessMs ?? 0);
    for (let partition = 0; partition < topic.partitions; partition++) {
      const endOffset = this.#log(topic.name, partition).end;
      this.#hints.receive({ writer: 'test', topic: topic.name, partition, m, endOffset, at: this.#now });
    }
  }

  /** Moves the wall clock on, for punctuation by it; a hint older than a minute no longer counts. */
  advanceWallClock(ms: number): void {
    this.#now += ms;
  }

  /** Processes until nothing moves any more, in an order that the seed decides; with `steps`, at most so many steps. */
  async run(steps = Infinity): Promise<void> {
    const partitions = Math.max(...this.topology.subTopologies.map((sub) => sub.partitions));
    for (let quiet = 0, step = 0; quiet < 2 * partitions && step < steps; step++) {
      const partition = quiet > 0 ? quiet % partitions : this.#random.int(0, partitions - 1);
      if (await this.#step(partition, quiet >= partitions)) quiet = 0;
      else quiet++;
    }
  }

  /** Records of a topic, partition by partition, in the order of the log. */
  async output<K, V>(topic: Topic<K, V>): Promise<TestOutput[]> {
    const { keySerde, valueSerde } = await this.#serdesOf(topic);
    const found: TestOutput[] = [];
    for (const [partition, log] of (this.#logs.get(topic.name) ?? []).entries()) {
      for (const { key, value, timestamp, cursor } of log.records()) {
        const header = cursor.header(TIME_HEADER);
        found.push({
          key: key === null ? null : keySerde.deserialize(key),
          value: value === null ? null : valueSerde.deserialize(value),
          timestamp,
          partition,
          originWatermark: isTimeHeader(header) ? watermarkOf(header) : undefined,
        });
      }
    }
    return found;
  }

  /** The last value per key of a topic; deleted keys are absent. */
  async table<K, V>(topic: Topic<K, V>): Promise<Map<unknown, unknown>> {
    const rows = new Map<unknown, unknown>();
    for (const { key, value } of await this.output(topic)) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    return rows;
  }

  /** What a stage found late. */
  late(stage: string): TestLate[] {
    return this.#values(lateTopicOf(stage)) as TestLate[];
  }

  /** Codes and reasons of a stage's dead letters. */
  deadLetters(stage: string): { readonly code: string; readonly reason: string }[] {
    const text = (bytes: Buffer | null): string => bytes?.toString('utf8') ?? '';
    return (this.#logs.get(deadLetterTopicOf(stage)) ?? []).flatMap((log) =>
      // One by one: the cursor stands on the record in hand.
      log
        .records()
        .map(({ cursor }) => ({ code: text(cursor.header('code')), reason: text(cursor.header('reason')) }))
        .toArray(),
    );
  }

  /** What the tasks have counted since their slots last began: all that Kafka Streams counts as dropped is `late` + `dropped`. */
  counts(): TaskCounts {
    const all: TaskCounts = { records: 0, written: 0, late: 0, dropped: 0, deadLetters: 0 };
    for (const { counts } of [...this.#slots.values()].flatMap(({ slot }) => slot.tasks)) {
      all.records += counts.records;
      all.written += counts.written;
      all.late += counts.late;
      all.dropped += counts.dropped;
      all.deadLetters += counts.deadLetters;
    }
    return all;
  }

  /** A store of the task of one partition, as it stands. */
  store(name: string, partition: number): StateStore {
    const { slot } = this.#running(partition);
    for (const task of slot.tasks) {
      const store = task.stores.get(name);
      if (store !== undefined) return store;
    }
    throw new TopologyError('SLC_TOPOLOGY_NO_STORE', `no task of partition ${partition} has a store ${name}`);
  }

  /** The rows of a store of tables, as StreamApp.table() gives them. */
  rows(store: string): ReadOnlyTable {
    return queryTable(this.topology, store, {
      tasks: () => [...this.#slots.values()].flatMap(({ slot }) => slot.tasks),
      globalTable: (name) => this.#wiring.globalTables.get(name),
    });
  }

  /** What a restore of a store would find: per partition the last value per changelog key, decoded; keys in latin1. */
  changelog(name: string): Map<string, unknown>[] {
    return (this.#logs.get(this.#wiring.names.changelogs.get(name) ?? '') ?? []).map((log) => {
      const entries = new Map<string, unknown>();
      for (const { key, value } of log.records()) {
        const id = key?.toString('latin1') ?? '';
        if (value === null) entries.delete(id);
        else entries.set(id, decodeValue(value));
      }
      return entries;
    });
  }

  /** The pins committed so far: give them to the driver of a replay. */
  pins(): Pin[] {
    return this.#ledger.filter((record) => record.kind === 'pin');
  }

  /** Loses everything of a partition's slot that is not committed; it starts again from the logs. */
  crash(partition: number): void {
    this.#slots.delete(partition);
  }

  async #step(partition: number, all: boolean): Promise<boolean> {
    const running = this.#running(partition);
    const { slot } = running;
    const before = this.#ledger.length;
    const fetched = this.#fetch(running, all);
    this.#hear(running, all);
    const { count, wait } = slot.process(all ? 1_000_000 : this.#random.int(0, 20));
    if (wait !== undefined) {
      await wait;
      return true;
    }
    if (this.#options.pins === undefined) slot.takeHints(this.#hints, this.#now);
    slot.tick(this.#now);
    slot.advance();
    if (!all && this.#random.chance(0.5)) return fetched || count > 0;
    if (!all && this.#random.chance(this.#options.crashes ?? 0)) {
      this.#slots.delete(partition);
      return true;
    }
    await slot.drain();
    const committed = this.#commit(slot, partition);
    if (committed) await this.#globalTables.follow();
    return fetched || count > 0 || committed || this.#ledger.length > before;
  }

  #fetch(running: RunningSlot, all: boolean): boolean {
    let moved = false;
    for (const input of running.slot.inputs) {
      const log = this.#log(input.tp.topic, input.tp.partition);
      const from = running.fetched.get(input.tp.topic) ?? input.position;
      if (from >= log.end || (!all && this.#random.chance(0.3))) continue;
      const batches = log.from(from, all ? 1_000_000 : this.#random.int(1, 10));
      const last = batches.at(-1);
      const nextOffset =
        last === undefined || log.from(last.lastOffset + 1n, 1).length === 0 ? log.end : last.lastOffset + 1n;
      running.slot.enqueue({ ...input.tp, batches, nextOffset, endOffset: log.end, bytes: 0 });
      running.fetched.set(input.tp.topic, nextOffset);
      moved = true;
    }
    return moved;
  }

  /** The ledger is read at any lag. */
  #hear(running: RunningSlot, all: boolean): void {
    const to = all ? this.#ledger.length : this.#random.int(running.heard, this.#ledger.length);
    for (const record of this.#ledger.slice(running.heard, to))
      if (record.kind === 'promise') running.slot.receive(record);
    running.heard = to;
  }

  #commit(slot: Slot, partition: number): boolean {
    const plan = slot.takeCommit();
    if (plan === undefined) return false;
    const results = plan.collected.batches.map(({ topic, partition: to, batch }) => {
      return { topic, partition: to, baseOffset: this.#log(topic, to).append(batch) };
    });
    for (const { topic, partition: to } of results) if (this.#random.chance(0.3)) this.#log(topic, to).skip();
    for (const { key, value } of plan.ledger(results)) {
      const record = parseLedgerRecord(asBuffer(key), asBuffer(value));
      if (record !== undefined) this.#ledger.push(record);
    }
    for (const { topic, offset, metadata } of plan.offsets) {
      const { w } = JSON.parse(metadata === null || metadata === '' ? '{}' : metadata) as { w?: number };
      this.#offsets.set(`${topic}|${partition}`, { offset, clock: w ?? -Infinity });
    }
    return true;
  }

  #running(partition: number): RunningSlot {
    const known = this.#slots.get(partition);
    if (known !== undefined) return known;
    const start = { offset: 0n, clock: -Infinity };
    const { tasks, inputs, collector } = makeSlotParts(this.#wiring, partition, (topic) => {
      return this.#offsets.get(`${topic}|${partition}`) ?? start;
    });
    for (const task of tasks) for (const name of task.stores.keys()) this.#restore(task, name, partition);
    const said = new Map<string, WriterPromise>();
    const mine = new Set(tasks.map((task) => task.name));
    for (const record of this.#ledger) {
      if (record.kind === 'promise' && mine.has(record.writer)) said.set(`${record.writer}|${record.topic}`, record);
    }
    const options = { tickMs: this.#options.tickMs ?? 1, idleAfterMs: 60_000, time: this.topology.time };
    const partitions = writtenPartitions(this.#wiring);
    const ends = partitions.map(({ topic, partition: p }) => this.#log(topic, p));
    const slot = new Slot({
      partition,
      inputs,
      tasks,
      collector,
      said,
      written: endsByTopic(partitions, ends),
      options,
    });
    for (const pin of this.#options.pins ?? []) if (pin.partition === partition) slot.replayPin(pin);
    const running: RunningSlot = { slot, fetched: new Map(), heard: 0 };
    this.#slots.set(partition, running);
    return running;
  }

  #restore(task: Task, store: string, partition: number): void {
    const topic = this.#wiring.names.changelogs.get(store) ?? '';
    for (const { key, value } of this.#log(topic, partition).records()) {
      if (key !== null) task.restore(store, key, value);
    }
  }

  #log(topic: string, partition: number): MemoryLog {
    let logs = this.#logs.get(topic);
    if (logs === undefined) this.#logs.set(topic, (logs = []));
    while (logs.length <= partition) logs.push(new MemoryLog());
    return logs[partition] as MemoryLog;
  }

  #values(topic: string): unknown[] {
    return (this.#logs.get(topic) ?? []).flatMap((log) =>
      [...log.records()].map(({ value }) => (value === null ? null : decodeValue(value))),
    );
  }

  #serdesOf<K, V>(topic: Topic<K, V>): Promise<Serdes> {
    let serdes = this.#opened.get(topic.name);
    if (serdes === undefined) this.#opened.set(topic.name, (serdes = this.#open(topic)));
    return serdes;
  }

  async #open<K, V>(topic: Topic<K, V>): Promise<Serdes> {
    const valueSerde = (await this.#serdes.open(`${topic.name}-value`, topic.value, { write: true })) as Serde<unknown>;
    if (topic.key === 'text') return { keySerde: textSerde, valueSerde };
    const keySerde = (await this.#serdes.open(`${topic.name}-key`, topic.key, { write: true })) as Serde<unknown>;
    return { keySerde, valueSerde };
  }
}
