import type { Serde } from '../serde.ts';
import { writeUtf8 } from '../utf8.ts';
import { crc32c } from './crc32c.ts';

/** One header of a record. */
export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** Bytes of a v2 batch before its first record. */
export const BATCH_HEADER_BYTES = 61;

const START_BYTES = 4_096;
/** Room for a length of two bytes: those of 64 to 8,191, as most records and values have. Others are moved. */
const LENGTH_BYTES = 2;
/** What the fields of a record take beside key, value and headers. */
const FIELDS_BYTES = 40;
const NO_HEADERS: readonly RecordHeader[] = [];
/** Up to here bytes are copied one by one: a call into Node costs more than that. */
const LOOP_BYTES = 48;
/** Names of headers as bytes: an engine writes few different ones; those of a sender are any. */
const NAMES = new Map<string, Buffer>();
const MAX_NAMES = 256;

/**
 * Encodes records straight into a Kafka v2 record batch (KIP-98 format). The header is filled in by `seal`, as often as needed: a retry seals again.
 * Timestamps may come in any order: deltas are signed.
 */
export class BatchBuilder {
  #bytes: Buffer;
  #size = BATCH_HEADER_BYTES;
  /** Behind the fields written so far of the record that was begun. */
  #at = 0;
  #begunTimestamp = 0;
  #begunFields = 0;
  #count = 0;
  #firstTimestamp = 0;
  #maxTimestamp = 0;

  /** `startBytes`: how much is about to come, roughly. */
  constructor(startBytes = START_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(START_BYTES, startBytes));
  }

  /** Records in it. */
  get count(): number {
    return this.#count;
  }

  /** Size of the whole batch, header included. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** Appends a record. `timestamp` in ms since the epoch. */
  append(key: Uint8Array | null, value: Uint8Array | null, timestamp: number, headers?: readonly RecordHeader[]): void {
    this.begin(timestamp);
    this.fields(key, value, headers);
    this.end();
  }

  /**
   * Begins a record that is written in place, field by field: key, value, number of headers, headers, `end`. Until `end` nothing of it counts, so that it
   * may be given up at any point.
   */
  begin(timestamp: number): void {
    this.#room(FIELDS_BYTES);
    this.#begunTimestamp = timestamp;
    this.#at = this.#size + LENGTH_BYTES;
    this.#bytes[this.#at++] = 0;
    this.#atVarint(zigzag(this.#count === 0 ? 0 : timestamp - this.#firstTimestamp));
    this.#atVarint(this.#count * 2);
    this.#begunFields = this.#at;
  }

  /** All fields at once. */
  fields(key: Uint8Array | null, value: Uint8Array | null, headers: readonly RecordHeader[] = NO_HEADERS): void {
    this.#fieldOrNone(key);
    this.#fieldOrNone(value);
    this.headerCount(headers.length);
    for (const [name, content] of headers) {
      const bytes = nameBytes(name);
      this.field(bytes, bytes.length);
      this.#fieldOrNone(content);
    }
  }

  /** A key or a value: bytes[0, length). */
  field(bytes: Uint8Array, length: number): void {
    this.#atRoom(length + FIELDS_BYTES);
    this.#atVarint(length * 2);
    const at = this.#at;
    if (length > LOOP_BYTES) this.#bytes.set(bytes.length === length ? bytes : bytes.subarray(0, length), at);
    else for (let i = 0; i < length; i++) this.#bytes[at + i] = bytes[i] as number;
    this.#at = at + length;
  }

  /** A key or a value: bytes[from, from + length). */
  copiedField(bytes: Buffer, from: number, length: number): void {
    this.#atRoom(length + FIELDS_BYTES);
    this.#atVarint(length * 2);
    bytes.copy(this.#bytes, this.#at, from, from + length);
    this.#at += length;
  }

  /** No key, or a tombstone. */
  noField(): void {
    this.#atRoom(FIELDS_BYTES);
    this.#bytes[this.#at++] = 1;
  }

  /** A key or a value that is UTF-8 text. */
  textField(text: string): void {
    const start = this.openField(text.length * 3);
    this.closeField(start, writeUtf8(text, this.#bytes, start));
  }

  /** A key or a value that the caller writes into `bytes`, from the place that is returned on, with room for `atMost` bytes. */
  openField(atMost: number): number {
    this.#atRoom(atMost + FIELDS_BYTES);
    return this.#at + LENGTH_BYTES;
  }

  /** The field that was opened is bytes[start, end). */
  closeField(start: number, end: number): void {
    this.#at = this.#moved(start, end);
  }

  /** A key or a value as `serde` writes it. */
  serdeField<T>(serde: Serde<T>, value: T): void {
    if (serde.serializeAt === undefined) {
      const bytes = serde.serialize(value);
      return this.field(bytes, bytes.length);
    }
    const start = this.#at + LENGTH_BYTES;
    let end = serde.serializeAt(value, this.#bytes, start);
    while (end < 0) {
      // So much behind the end of the buffer.
      this.#atRoom(this.#bytes.length - this.#at - end + FIELDS_BYTES);
      end = serde.serializeAt(value, this.#bytes, start);
    }
    // Behind the value, which moves along when the batch grows.
    this.#at = end;
    this.#atRoom(FIELDS_BYTES);
    this.closeField(start, end);
  }

  /** How many headers follow. */
  headerCount(count: number): void {
    this.#atVarint(count * 2);
  }

  /** A header whose value of `length` bytes the caller writes into `bytes` at the place that is returned, at once. */
  header(name: Uint8Array, length: number): number {
    this.field(name, name.length);
    this.#atRoom(length + FIELDS_BYTES);
    this.#atVarint(length * 2);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  /** The batch so far, and room behind it: for what `header` asks for. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** The record that was begun now counts. */
  end(): void {
    this.#atRoom(FIELDS_BYTES);
    this.#size = this.#moved(this.#size + LENGTH_BYTES, this.#at);
    if (this.#count === 0) {
      this.#firstTimestamp = this.#begunTimestamp;
      this.#maxTimestamp = this.#begunTimestamp;
    } else if (this.#begunTimestamp > this.#maxTimestamp) this.#maxTimestamp = this.#begunTimestamp;
    this.#count++;
  }

  /** Bytes that the record that was begun takes so far. */
  get begunBytes(): number {
    return this.#at - this.#size;
  }

  /** The record that was begun begins in `next` instead, with what has been written of it. */
  moveBegun(next: BatchBuilder): void {
    next.begin(this.#begunTimestamp);
    const length = this.#at - this.#begunFields;
    next.#atRoom(length + FIELDS_BYTES);
    this.#bytes.copy(next.#bytes, next.#at, this.#begunFields, this.#at);
    next.#at += length;
  }

  /** Empties it, keeping its memory. Only after the send that used it has resolved. */
  reset(): void {
    this.#size = BATCH_HEADER_BYTES;
    this.#count = 0;
  }

  /** Writes the batch header and returns the whole batch: a view, valid until the next append or reset. */
  seal(producerId: bigint, epoch: number, baseSequence: number, transactional: boolean): Buffer {
    const bytes = this.#bytes;
    bytes.writeBigInt64BE(0n, 0);
    bytes.writeInt32BE(this.#size - 12, 8);
    bytes.writeInt32BE(-1, 12);
    bytes[16] = 2;
    bytes.writeInt16BE(transactional ? 16 : 0, 21);
    bytes.writeInt32BE(this.#count - 1, 23);
    bytes.writeBigInt64BE(BigInt(this.#firstTimestamp), 27);
    bytes.writeBigInt64BE(BigInt(this.#maxTimestamp), 35);
    bytes.writeBigInt64BE(producerId, 43);
    bytes.writeInt16BE(epoch, 51);
    bytes.writeInt32BE(baseSequence, 53);
    bytes.writeInt32BE(this.#count, 57);
    bytes.writeUInt32BE(crc32c(bytes, 21, this.#size), 17);
    return bytes.subarray(0, this.#size);
  }

  #room(needed: number): void {
    if (this.#size + needed <= this.#bytes.length) return;
    let capacity = this.#bytes.length * 2;
    while (capacity < this.#size + needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    // With the record that was begun, when there is one.
    this.#bytes.copy(grown, 0, 0, Math.max(this.#size, Math.min(this.#at, this.#bytes.length)));
    this.#bytes = grown;
  }

  /** As #room, for the record that was begun. */
  #atRoom(needed: number): void {
    if (this.#at + needed > this.#bytes.length) this.#room(this.#at - this.#size + needed);
  }

  /** Writes the length of bytes[start, end) before them, and moves them where it takes more or less than LENGTH_BYTES. Returns their end. */
  #moved(start: number, end: number): number {
    const length = (end - start) * 2;
    const bytes = this.#bytes;
    if (length >= 128 && length < 16_384) {
      bytes[start - 2] = (length & 127) | 128;
      bytes[start - 1] = length >>> 7;
      return end;
    }
    const moved = start - LENGTH_BYTES + varintSize(length);
    if (end - start <= LOOP_BYTES) {
      // One byte to the left.
      for (let i = start; i < end; i++) bytes[i - 1] = bytes[i] as number;
    } else bytes.copyWithin(moved, start, end);
    this.#at = start - LENGTH_BYTES;
    this.#atVarint(length);
    return moved + end - start;
  }

  #atVarint(unsigned: number): void {
    let rest = unsigned;
    while (rest > 127) {
      this.#bytes[this.#at++] = (rest & 127) | 128;
      rest = rest > 0x7fff_ffff ? Math.floor(rest / 128) : rest >>> 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #fieldOrNone(bytes: Uint8Array | null): void {
    if (bytes === null) this.noField();
    else this.field(bytes, bytes.length);
  }
}

function nameBytes(name: string): Buffer {
  let bytes = NAMES.get(name);
  if (bytes === undefined) {
    bytes = Buffer.from(name, 'utf8');
    if (NAMES.size < MAX_NAMES) NAMES.set(name, bytes);
  }
  return bytes;
}

const zigzag = (n: number): number => (n < 0 ? -n * 2 - 1 : n * 2);

function varintSize(unsigned: number): number {
  let size = 1;
  for (let rest = unsigned; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}
