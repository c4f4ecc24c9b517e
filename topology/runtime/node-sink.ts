/** Where one node of a task writes: a sink or a repartition topic. Records are encoded where they will be sent from. */
import { RecordError } from '../errors.ts';
import { murmur2 } from '../partitioner.ts';
import type { AnyRecord } from '../record.ts';
import type { BatchBuilder, RecordCursor } from '../record-batch.ts';
import { keyKind, keyText } from '../state/key-codec.ts';
import { valueToText } from '../state/value-codec.ts';
import { TIME_HEADER_NAME, timeBytes, writeTime } from '../time/time-header.ts';
import type { RecordTime } from '../time/record-time.ts';
import { writeUtf8 } from '../utf8.ts';
import { KEY_KIND_NAME } from './read-record.ts';
import { type Mark, markOf, type PendingPartition, type RecordCollector } from './record-collector.ts';
import type { SinkTarget } from './task-output.ts';

/** Where keys become bytes: their hash is needed before it is known in which batch they go. */
let scratch = Buffer.allocUnsafe(1_024);

export class NodeSink {
  readonly #collector: RecordCollector;
  readonly #target: SinkTarget;
  /** What the ow of all that it writes is at least, ms. */
  readonly #floor: number;
  readonly #pending: PendingPartition[] = [];
  readonly #marks: Mark[] = [];

  constructor(
    collector: RecordCollector,
    options: {
      readonly target: SinkTarget;
      /** The task, as it is named in the ledger. */
      readonly writer: string;
      readonly floor: number;
    },
  ) {
    this.#collector = collector;
    this.#target = options.target;
    this.#floor = options.floor;
    for (let p = 0; p < options.target.partitions; p++) {
      const pending = collector.partition(options.target.topic, p);
      this.#pending.push(pending);
      this.#marks.push(markOf(pending, options.writer));
    }
  }

  /** Writes a record under its key's partition. `read`: where its value was read as it is, when it was. RecordError for keys and values that cannot be written. */
  send(record: AnyRecord, time: RecordTime, read: RecordCursor | undefined): void {
    const { key } = record;
    if (key === null || key === undefined) {
      throw new RecordError('SLC_RECORD_KEY', `a record for ${this.#target.topic} has no key`, {
        hint: 'give it one with keyBy()',
      });
    }
    const text = keyText(key);
    if (text.length * 3 > scratch.length) scratch = Buffer.allocUnsafe(text.length * 6);
    const length = writeUtf8(text, scratch, 0);
    const partition = (murmur2(scratch, length) & 0x7fff_ffff) % this.#target.partitions;
    this.#write(partition, length, record, time, read);
  }

  #write(
    partition: number,
    keyLength: number,
    record: AnyRecord,
    time: RecordTime,
    read: RecordCursor | undefined,
  ): void {
    const pending = this.#pending[partition] as PendingPartition;
    const batch = this.#collector.begin(pending, record.timestamp);
    batch.field(scratch, keyLength);
    if (read !== undefined && this.#target.passed?.mayPass(record.value, read) === true) {
      batch.copiedField(read.buffer, read.valueAt, read.valueLength);
    } else this.#writeValue(batch, record.value);
    const kind = this.#target.valueSerde === undefined ? keyKind(record.key) : undefined;
    batch.headerCount(kind === undefined ? 1 : 2);
    const raised = this.#floor > time.originWatermark ? this.#raised(time) : time;
    const at = batch.header(TIME_HEADER_NAME, timeBytes(raised));
    writeTime(batch.bytes, at, raised);
    if (kind !== undefined) {
      const kindAt = batch.header(KEY_KIND_NAME, 1);
      batch.bytes[kindAt] = kind.charCodeAt(0);
    }
    this.#collector.end(pending, batch, this.#marks[partition]);
  }

  #writeValue(batch: BatchBuilder, value: unknown): void {
    const { valueSerde } = this.#target;
    if (value === null || value === undefined) batch.noField();
    else if (valueSerde === undefined) batch.textField(valueToText(value));
    else batch.serdeField(valueSerde, value);
  }

  #raised(time: RecordTime): RecordTime {
    return { originWatermark: this.#floor, coordinate: time.coordinate };
  }
}
