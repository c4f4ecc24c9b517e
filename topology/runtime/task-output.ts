/** Where the tasks of a slot write: sinks and repartition topics, late and dead-letter topics. Everything goes into the slot's collector. */
import type { Floors } from './floors.ts';
import type { GraphNode } from '../dsl/graph.ts';
import type { LateDetail } from '../dsl/node.ts';
import { InvariantError, type RecordError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import type { RecordCursor, RecordHeader } from '../record-batch.ts';
import type { Serde } from '../serde.ts';
import { keyBytes, keyText } from '../state/key-codec.ts';
import { encodeValue } from '../state/value-codec.ts';
import type { RecordTime } from '../time/record-time.ts';
import { NodeSink } from './node-sink.ts';
import type { PassedValues } from './passed-value.ts';
import { MAX_RECORD_BYTES, type RecordCollector, sizeOf } from './record-collector.ts';

/** A topic that a node writes. `valueSerde` undefined: a repartition topic, values in the engine's own codec. */
export interface SinkTarget {
  readonly topic: string;
  readonly partitions: number;
  readonly valueSerde: Serde<unknown> | undefined;
  /** A repartition topic whose values come from one topic: those that nobody changed are written as the bytes in which they were read. */
  readonly passed?: PassedValues | undefined;
}

/** Names and numbers that the tasks of an application share. */
export interface OutputNames {
  readonly targets: ReadonlyMap<GraphNode, SinkTarget>;
  readonly changelogs: ReadonlyMap<string, string>;
  readonly storeNumbers: ReadonlyMap<string, number>;
}

const encoder = new TextEncoder();
const MAX_KEPT_KEY_BYTES = 100_000;

/** The late topic of a stage. */
export const lateTopicOf = (stage: string): string => `${stage}.late`;
/** The dead-letter topic of a stage. */
export const deadLetterTopicOf = (stage: string): string => `${stage}.dlq`;
/** Before the name of a header that the record had in its source topic, in the headers of its dead letter. */
export const SOURCE_HEADER_PREFIX = 'source.header.';

export class TaskOutput {
  readonly #collector: RecordCollector;
  readonly #names: OutputNames;
  readonly #partition: number;
  readonly #floors = new Map<GraphNode, number>();

  constructor(
    collector: RecordCollector,
    { names, floors }: { readonly names: OutputNames; readonly floors: Floors },
    partition: number,
  ) {
    this.#collector = collector;
    this.#names = names;
    this.#partition = partition;
    for (const [node, { topic }] of names.targets) {
      const floor = floors[`${node.stage}/${partition}|${topic}`];
      if (floor !== undefined) this.#floors.set(node, floor);
    }
  }

  /** What the ow of all that a node writes is at least, ms: it may be promised. */
  floorOf(node: GraphNode): number {
    return this.#floors.get(node) ?? -Infinity;
  }

  isSink(node: GraphNode): boolean {
    return this.#names.targets.has(node);
  }

  /** The topic whose watermark a node's task promises; undefined for nodes that write none. */
  derivedTopicOf(node: GraphNode): string | undefined {
    return this.#names.targets.get(node)?.topic;
  }

  changelogOf(store: string): string {
    const topic = this.#names.changelogs.get(store);
    if (topic === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `store ${store} has no changelog`);
    return topic;
  }

  storeNumber(store: string): number {
    return this.#names.storeNumbers.get(store) ?? 0;
  }

  /** Where a node writes. `writer`: its task. */
  sinkOf(node: GraphNode, writer: string): NodeSink {
    const target = this.#names.targets.get(node);
    if (target === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `${node.name} writes no topic`);
    return new NodeSink(this.#collector, { target, writer, floor: this.floorOf(node) });
  }

  /** A late record: JSON with the record, the window, how late and why. */
  late(stage: string, record: AnyRecord, time: RecordTime, detail: LateDetail): void {
    const key = record.key === null || record.key === undefined ? null : keyText(record.key);
    const value = {
      stage,
      reason: detail.reason,
      latenessMs: detail.latenessMs,
      windowStart: detail.windowStart ?? null,
      windowEnd: detail.windowEnd ?? null,
      key,
      value: record.value,
      timestamp: record.timestamp,
      originWatermark: time.originWatermark,
    };
    const bytes = key === null ? null : encoder.encode(key);
    const late = { key: bytes, value: encodeValue(value), timestamp: record.timestamp };
    this.#collector.add(lateTopicOf(stage), this.#partition, late);
  }

  /** A record as it was read: original bytes, and in the headers where it came from and what happened. */
  deadLetter(stage: string, topic: string, cursor: RecordCursor, error: RecordError): void {
    const headers = describeFailure(stage, error);
    headers.push(['source.topic', encoder.encode(topic)]);
    headers.push(['source.partition', encoder.encode(String(this.#partition))]);
    headers.push(['source.offset', encoder.encode(String(cursor.offset))]);
    for (const [name, value] of cursor.headers()) headers.push([`${SOURCE_HEADER_PREFIX}${name}`, value]);
    const record = { key: cursor.keyBytes(), value: cursor.valueBytes(), timestamp: cursor.timestamp, headers };
    this.#collector.add(deadLetterTopicOf(stage), this.#partition, fitting(record));
  }

  /** A record that waited in the engine: its value as JSON, its coordinate says where it came from. */
  deadLetterRecord(stage: string, record: AnyRecord, time: RecordTime, error: RecordError): void {
    const headers = describeFailure(stage, error);
    headers.push(['source.coordinate', encoder.encode(time.coordinate.toString('hex'))]);
    const key = record.key === null || record.key === undefined ? null : keyBytes(record.key);
    const value = record.value === null || record.value === undefined ? null : encodeValue(record.value);
    const letter = { key, value, timestamp: record.timestamp, headers };
    this.#collector.add(deadLetterTopicOf(stage), this.#partition, fitting(letter));
  }
}

interface DeadLetter {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

/** A dead letter that Kafka would not take goes without its value, and without a key that is too large: where it came from says where both are. */
function fitting(letter: DeadLetter): DeadLetter {
  if (sizeOf(letter) <= MAX_RECORD_BYTES) return letter;
  const { key, value, timestamp, headers } = letter;
  const cut: RecordHeader = ['value.cut', encoder.encode(String(value?.length ?? 0))];
  return {
    key: key !== null && key.length > MAX_KEPT_KEY_BYTES ? null : key,
    value: null,
    timestamp,
    headers: [...headers, cut],
  };
}

function describeFailure(stage: string, error: RecordError): RecordHeader[] {
  const cause = error.cause instanceof Error ? error.cause : error;
  return [
    ['stage', encoder.encode(stage)],
    ['code', encoder.encode(error.code)],
    ['reason', encoder.encode(error.message)],
    ['stack', encoder.encode((cause.stack ?? '').slice(0, 4_000))],
  ];
}
