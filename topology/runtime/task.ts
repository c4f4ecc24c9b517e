/**
 * One task: the nodes of a sub-topology at work on one partition. Synchronous. An exception in a node concerns one record, which goes to the
 * dead-letter topic; a breach of an invariant stops the task.
 */
import type { GlobalRows, NodeContext, Processor } from '../dsl/node.ts';
import type { GraphNode } from '../dsl/graph.ts';
import type { SubTopology } from '../dsl/topology.ts';
import { InvariantError, RecordError, TopologyError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import type { RecordCursor } from '../record-batch.ts';
import type { ChangelogEntry, ChangeSink, StateStore } from '../state/store.ts';
import type { RecordTime } from '../time/record-time.ts';
import { StreamClock } from '../time/stream-clock.ts';
import { type TimePolicy, timePolicy, type TimePolicyName } from '../time/time-policy.ts';
import type { NodeSink } from './node-sink.ts';
import type { RecordCollector } from './record-collector.ts';
import type { SlotInput } from './slot-input.ts';
import type { TaskOutput } from './task-output.ts';

interface RunningNode {
  readonly node: GraphNode;
  readonly children: { readonly at: RunningNode; readonly parent: number }[];
  readonly parents: RunningNode[];
  processor: Processor<unknown>;
  /** Watermark of its input and of its output, ms. */
  input: number;
  output: number;
  /** Under stream-time: the largest timestamp that it has taken. */
  readonly clock: StreamClock;
}

/** What a task counts, for people. */
export interface TaskCounts {
  records: number;
  /** Written to topics, repartition topics included. */
  written: number;
  late: number;
  dropped: number;
  deadLetters: number;
}

/** What a store holds. `bytes` is an estimate: entries times the mean size of its changes; null before any was committed. */
export interface StoreSize {
  readonly store: string;
  readonly entries: number;
  readonly bytes: number | null;
}

/** How a task is made. */
export interface TaskOptions {
  readonly time: TimePolicyName;
  readonly makeStore: (name: string) => StateStore;
  /** Those of the process, by the names of their stores. */
  readonly globalTables: ReadonlyMap<string, GlobalRows>;
  /** Hears what a commit takes of a store, and of its clock. */
  readonly keep?: (store: string, changes: readonly ChangelogEntry[], clock: readonly ChangelogEntry[]) => void;
}

export class Task {
  readonly name: string;
  readonly stage: string;
  readonly sub: SubTopology;
  readonly counts: TaskCounts = { records: 0, written: 0, late: 0, dropped: 0, deadLetters: 0 };
  readonly stores = new Map<string, StateStore>();
  readonly #nodes: RunningNode[] = [];
  readonly #sources = new Map<string, RunningNode[]>();
  readonly #output: TaskOutput;
  readonly #partition: number;
  readonly #policy: TimePolicy;
  readonly #keep: TaskOptions['keep'];
  readonly #globalTables: TaskOptions['globalTables'];
  /** Of the nodes that have a store, by its name. */
  readonly #clocks = new Map<string, StreamClock>();
  #time: RecordTime | undefined;
  #cursor: RecordCursor | undefined;
  /** As read under the cursor. */
  #value: unknown;
  #sourceTopic = '';

  constructor(sub: SubTopology, partition: number, output: TaskOutput, options: TaskOptions) {
    this.sub = sub;
    this.stage = sub.stage;
    this.name = `${sub.stage}/${partition}`;
    this.#partition = partition;
    this.#output = output;
    this.#policy = timePolicy(options.time);
    this.#keep = options.keep;
    this.#globalTables = options.globalTables;
    for (const spec of sub.stores) this.stores.set(spec.name, options.makeStore(spec.name));
    const running = new Map<GraphNode, RunningNode>();
    for (const node of sub.nodes) {
      const parents = node.parents.flatMap((parent) => running.get(parent) ?? []);
      const clock = new StreamClock();
      if (node.spec.store !== undefined) this.#clocks.set(node.spec.store.name, clock);
      const each: RunningNode = {
        node,
        children: [],
        parents,
        processor: IDLE,
        input: -Infinity,
        output: -Infinity,
        clock,
      };
      for (const [index, parent] of node.parents.entries())
        running.get(parent)?.children.push({ at: each, parent: index });
      running.set(node, each);
      this.#nodes.push(each);
    }
    for (const source of sub.sources) {
      const nodes = source.nodes.flatMap((node) => running.get(node) ?? []);
      this.#sources.set(source.topic.name, nodes);
    }
    for (const each of this.#nodes) each.processor = this.#start(each);
  }

  reads(topic: string): boolean {
    return this.#sources.has(topic);
  }

  process(topic: string, record: AnyRecord, time: RecordTime, cursor: RecordCursor): void {
    this.counts.records++;
    this.#time = time;
    this.#cursor = cursor;
    this.#value = record.value;
    this.#sourceTopic = topic;
    for (const source of this.#sources.get(topic) ?? []) {
      if (!this.#isByWatermark) source.clock.observe(record.timestamp);
      this.#run(source, record, 0);
    }
    this.#cursor = undefined;
  }

  /** `watermarkOf` gives the watermark of a source topic in this slot, ms. Goes down in topological order. Stream time moves with the records alone. */
  advance(watermarkOf: (topic: string) => number): void {
    if (!this.#isByWatermark) return;
    for (const each of this.#nodes) {
      let input = Infinity;
      if (each.parents.length === 0) input = watermarkOf(each.node.topic?.name ?? '');
      for (const parent of each.parents) if (parent.output < input) input = parent.output;
      if (input > each.input) each.input = input;
      each.processor.advance?.(each.input);
      const output = each.processor.outputWatermark?.() ?? each.input;
      if (output > each.output) each.output = output;
    }
  }

  /** Before a commit: coalesced updates leave, in topological order. */
  flush(): void {
    for (const each of this.#nodes) each.processor.flush?.();
  }

  /** Resolves when some of the work that is under way is done; undefined when there is none. */
  drain(): Promise<void> | undefined {
    for (const each of this.#nodes) {
      const under = each.processor.drain?.();
      if (under !== undefined) return under;
    }
    return undefined;
  }

  /** Wall-clock punctuation. */
  tick(now: number): void {
    for (const each of this.#nodes) each.processor.tick?.(now);
  }

  /** Per written topic the promise that could be made now, ms. */
  outputWatermarks(): Map<string, number> {
    const promises = new Map<string, number>();
    for (const { node, input } of this.#nodes) {
      const topic = this.#output.derivedTopicOf(node);
      if (topic === undefined) continue;
      const m = Math.max(input, this.#output.floorOf(node));
      promises.set(topic, Math.min(m, promises.get(topic) ?? Infinity));
    }
    return promises;
  }

  /** Least output watermark of the task's sources, or its stream time, ms: for people. */
  get watermark(): number {
    const sources = this.#nodes.filter((each) => each.parents.length === 0);
    if (!this.#isByWatermark) return Math.max(-Infinity, ...sources.map((each) => each.clock.now));
    return Math.min(Infinity, ...sources.map((each) => each.output));
  }

  /** One changelog record of a store, or of the clock that is kept with it; only before the first record. */
  restore(store: string, key: Uint8Array, value: Uint8Array | null): void {
    if (this.#clocks.get(store)?.restore(key, value) !== true) this.stores.get(store)?.restore(key, value);
  }

  /** What its stores hold: entries, and bytes as far as the collector has seen what a change of the store takes. */
  storeSizes(collector: RecordCollector): StoreSize[] {
    return [...this.stores.values()].map(({ name, size }) => {
      const mean = collector.meanBytes(this.#output.changelogOf(name));
      return { store: name, entries: size, bytes: mean === undefined ? null : Math.round(mean * size) };
    });
  }

  /** TopologyError SLC_STAGE_STATE for what a changelog cannot hold. */
  takeChangelog(collector: RecordCollector): void {
    for (const store of this.stores.values()) {
      const topic = this.#output.changelogOf(store.name);
      try {
        const clock = this.#clocks.get(store.name)?.takeChanges() ?? [];
        const isDirect = this.#keep === undefined && store.writeChanges !== undefined;
        if (isDirect) store.writeChanges?.(this.#changeSink(collector, topic));
        const changes = isDirect ? [] : store.takeChanges();
        for (const change of changes) collector.add(topic, this.#partition, change);
        for (const change of clock) collector.add(topic, this.#partition, change);
        if (changes.length + clock.length > 0) this.#keep?.(store.name, changes, clock);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        throw new TopologyError(
          'SLC_STAGE_STATE',
          `${this.name}: store ${store.name} cannot be saved: ${error.message}`,
          {
            ...(error.hint === undefined ? {} : { hint: error.hint }),
            cause: error,
          },
        );
      }
    }
  }

  #changeSink(collector: RecordCollector, topic: string): ChangeSink {
    const pending = collector.partition(topic, this.#partition);
    return {
      begin: (timestamp) => collector.begin(pending, timestamp),
      end: (batch) => collector.end(pending, batch, undefined),
    };
  }

  /** A record that could not even be read, with its original bytes. */
  deadLetterRaw(input: SlotInput, error: RecordError): void {
    this.counts.deadLetters++;
    this.#output.deadLetter(this.stage, input.tp.topic, input.cursor, error);
  }

  #start(each: RunningNode): Processor<unknown> {
    const { node } = each;
    if (this.#output.isSink(node)) {
      const sink = this.#output.sinkOf(node, this.name);
      return { process: (record) => this.#send(sink, record as AnyRecord) };
    }
    if (node.create === undefined) return { process: (record) => this.#pass(each, record as AnyRecord) };
    return node.create(this.#context(each), (record: unknown) => this.#pass(each, record as AnyRecord));
  }

  #send(sink: NodeSink, record: AnyRecord): void {
    const { value } = record;
    // The same object: nobody made another one of it.
    const isAsRead = value === this.#value && typeof value === 'object';
    sink.send(record, this.#now(), isAsRead ? this.#cursor : undefined);
    this.counts.written++;
  }

  #pass(each: RunningNode, record: AnyRecord): void {
    for (const child of each.children) this.#run(child.at, record, child.parent);
  }

  /** Never throws for a record's own failure: what is upstream (an RxJS operator, perhaps) has nothing to do with it. */
  #run(each: RunningNode, record: AnyRecord, parent: number): void {
    try {
      each.processor.process(record, parent);
    } catch (error) {
      if (isFatal(error)) throw error;
      this.#failed(each.node, record, this.#now(), error);
    }
    if (!this.#isByWatermark) this.#settle(each);
  }

  /** Stream time: what the record changed leaves at once, and what it closed. */
  #settle(each: RunningNode): void {
    each.input = each.clock.now;
    each.processor.flush?.();
    each.processor.advance?.(each.input);
  }

  #failed(node: GraphNode, record: AnyRecord, time: RecordTime, error: unknown): void {
    this.counts.deadLetters++;
    const failure =
      error instanceof RecordError
        ? error
        : new RecordError('SLC_RECORD_PROCESS', `${this.stage} / ${node.name}: ${messageOf(error)}`, { cause: error });
    if (this.#cursor === undefined) this.#output.deadLetterRecord(this.stage, record, time, failure);
    else this.#output.deadLetter(this.stage, this.#sourceTopic, this.#cursor, failure);
  }

  get #isByWatermark(): boolean {
    return this.#policy.name === 'watermark';
  }

  #now(): RecordTime {
    if (this.#time === undefined)
      throw new InvariantError('SLC_BUG_NO_TIME', `${this.name}: a record was emitted outside of processing`);
    return this.#time;
  }

  #context(each: RunningNode): NodeContext {
    const { node } = each;
    const now = (): RecordTime => this.#now();
    return {
      taskName: this.name,
      partition: this.#partition,
      storeNumber: node.spec.store === undefined ? 0 : this.#output.storeNumber(node.spec.store.name),
      windows: node.parents[0]?.spec.windows,
      store: <S extends StateStore>(name: string): S => {
        const store = this.stores.get(name);
        if (store === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `${node.name} has no store ${name}`);
        return store as S;
      },
      globalTable: (name) => {
        const table = this.#globalTables.get(name);
        if (table === undefined)
          throw new InvariantError('SLC_BUG_TOPOLOGY', `${node.name} has no global table ${name}`);
        return table;
      },
      policy: this.#policy,
      clock: each.clock,
      arrive: (record) => (this.#isByWatermark ? this.#now().originWatermark : each.clock.observe(record.timestamp)),
      watermark: () => (this.#isByWatermark ? each.input : each.clock.now),
      watermarkOf: (parent) => (this.#isByWatermark ? (each.parents[parent]?.output ?? -Infinity) : each.clock.now),
      get time() {
        return now();
      },
      emitAt: (record, time) => {
        const before = this.#time;
        this.#time = time;
        try {
          this.#pass(each, record);
        } finally {
          this.#time = before;
        }
      },
      late: (record, late) => {
        this.counts.late++;
        this.#output.late(this.stage, record, this.#now(), late);
      },
      failed: (record, time, error) => this.#failed(node, record, time, error),
      dropped: () => {
        this.counts.dropped++;
      },
    };
  }
}

const IDLE: Processor<unknown> = { process: () => undefined };

/** Errors that are no matter of one record: an invariant, or a stage that breaks the rules of pipelines. */
function isFatal(error: unknown): boolean {
  return error instanceof InvariantError;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
