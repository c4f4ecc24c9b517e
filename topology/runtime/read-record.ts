/** Turns the bytes under a slot's cursor into a record with its time: TIME.md rules 1, 2 and 4. */
import { InvariantError, NotReadyError, RecordError } from '../errors.ts';
import type { AnyRecord, TopicPartition } from '../record.ts';
import type { RecordCursor } from '../record-batch.ts';
import { readAt } from '../serde.ts';
import { keyFromText } from '../state/key-codec.ts';
import type { CurrentTime } from '../time/record-time.ts';
import { readTime, TIME_HEADER, TIME_HEADER_NAME } from '../time/time-header.ts';
import type { SlotInput, TopicReader } from './slot-input.ts';

/** Header that tells the kind of a key that is no text ('n', 'i', 'b'); only in repartition topics. */
export const KEY_KIND_HEADER = 'sluice-key';
/** The name as bytes. */
export const KEY_KIND_NAME: Uint8Array = new TextEncoder().encode(KEY_KIND_HEADER);

/**
 * Header of a tombstone that erases a row from a derived topic: sinks and readers outside take it as any tombstone; to stages it is no record at all. It has no
 * part in event time, so it may be older than what the writers have promised, and what stages have made of the row stays.
 */
export const ERASED_HEADER = 'sluice-erased';
const ERASED_NAME: Uint8Array = new TextEncoder().encode(ERASED_HEADER);

/** Who takes a record that cannot be read. */
export interface DeadLetters {
  readonly stage: string;
  deadLetterRaw(input: SlotInput, error: RecordError): void;
}

/**
 * The record under the cursor; `time` is set to its time. undefined: there is none for stages. It erases a row, or it went to the dead-letter topics of all `readers`.
 * Throws NotReadyError with nothing changed, and InvariantError SLC_BUG_PROMISE for a record older than what its writers promised in the ledger.
 */
export function readRecord(
  input: SlotInput,
  time: CurrentTime,
  readers: readonly DeadLetters[],
): AnyRecord | undefined {
  if (input.source.origin === undefined && isErasure(input.cursor)) return undefined;
  try {
    const record = decodeRecord(input);
    if (input.clock === undefined) setDerivedTime(input, time);
    else setOriginTime(input, record, time);
    return record;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    const stages = new Set<string>();
    for (const reader of readers) {
      if (stages.has(reader.stage)) continue;
      stages.add(reader.stage);
      reader.deadLetterRaw(input, error);
    }
    return undefined;
  }
}

/** Whether the record under the cursor is a tombstone that erases. */
export function isErasure(cursor: RecordCursor): boolean {
  return cursor.valueLength < 0 && cursor.findHeader(ERASED_NAME);
}

/** Where a record is read: its topic's serdes, and the cursor that stands on it. */
export interface ReadPlace {
  readonly source: TopicReader;
  readonly tp: TopicPartition;
  readonly cursor: RecordCursor;
}

/** RecordError for bytes that cannot be read, NotReadyError when a schema is to be fetched first. */
export function decodeRecord(input: ReadPlace): AnyRecord {
  const { cursor, source } = input;
  try {
    const { buffer, keyAt, keyLength, valueAt, valueLength } = cursor;
    let key = keyLength < 0 ? null : readAt(source.keySerde, buffer, keyAt, keyAt + keyLength);
    if (source.origin === undefined && typeof key === 'string' && cursor.findHeader(KEY_KIND_NAME)) {
      key = keyFromText(key, buffer.toString('latin1', cursor.headerAt, cursor.headerEnd));
    }
    const value = valueLength < 0 ? null : readAt(source.valueSerde, buffer, valueAt, valueAt + valueLength);
    return { key, value, timestamp: cursor.timestamp };
  } catch (error) {
    if (error instanceof RecordError || error instanceof NotReadyError) throw error;
    throw new RecordError('SLC_RECORD_DECODE', `reading ${where(input)}: ${String(error)}`, { cause: error });
  }
}

function setDerivedTime(input: SlotInput, time: CurrentTime): void {
  const { cursor } = input;
  if (!cursor.findHeader(TIME_HEADER_NAME) || !readTime(cursor.buffer, cursor.headerAt, cursor.headerEnd, time)) {
    throw new RecordError('SLC_RECORD_NO_TIME', `${where(input)} has no header ${TIME_HEADER}`, {
      hint: 'only stages write derived topics; declare a topic that others write with originTopic()',
    });
  }
  const ow = time.originWatermark;
  const promised = input.ledger?.watermark ?? -Infinity;
  if (ow < promised) {
    throw new InvariantError(
      'SLC_BUG_PROMISE',
      `${where(input)} has origin watermark ${ow}, but its writers had promised ${promised}`,
    );
  }
}

function setOriginTime(input: SlotInput, record: AnyRecord, time: CurrentTime): void {
  const { cursor, source, clock } = input;
  if (clock === undefined || source.origin === undefined) return;
  const { receivedAt, isSnapshot, maxAheadMs } = source.origin;
  const value = record.value;
  const snapshot = value !== null && isSnapshot?.(value) === true;
  const received = value === null ? undefined : receivedAt?.(value);
  if (received !== undefined && received !== null && record.timestamp > received + maxAheadMs) {
    throw new RecordError(
      'SLC_RECORD_AHEAD',
      `${where(input)} is ${record.timestamp - received} ms ahead of its receive time`,
      {
        hint: `event times more than maxAhead (${maxAheadMs} ms) in the future would make all others late; mend the sender's clock`,
      },
    );
  }
  // A row of a first snapshot does not move the clock and takes it as it stands.
  const ow = snapshot ? clock.watermark : clock.observe(record.timestamp);
  time.setOrigin(ow, source.number, input.tp.partition, cursor.offset);
}

function where(input: ReadPlace): string {
  return `${input.tp.topic}-${input.tp.partition}@${input.cursor.offset}`;
}
