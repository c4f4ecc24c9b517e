import { BATCH_HEADER_BYTES } from './builder.ts';

/** A fetched data batch: uncompressed, checksum verified. `buffer` holds exactly the batch. */
export interface RecordBatch {
  readonly buffer: Buffer;
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly count: number;
  /** Records before it are skipped: the fetch began in mid-batch. */
  readonly fromOffset: bigint;
}

const LOG_APPEND_TIME = 8;

/**
 * Walks a batch record by record without making objects. Fields are those of the record that `next` moved to. Offsets are numbers here: exact below
 * 2^53, which no partition reaches.
 */
export class RecordCursor {
  offset = 0;
  timestamp = 0;
  /** Where `findHeader` found the value: its place in `buffer`. */
  headerAt = 0;
  headerEnd = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #left = 0;
  #base = 0;
  #from = 0;
  #firstTimestamp = 0;
  #appendTime = -1;
  #key = 0;
  #keyLength = -1;
  #value = 0;
  #valueLength = -1;
  #headers = 0;

  /** Stands before the first record of the batch. */
  open(batch: RecordBatch): void {
    const { buffer } = batch;
    this.#buffer = buffer;
    this.#at = BATCH_HEADER_BYTES;
    this.#left = batch.count;
    this.#base = Number(batch.baseOffset);
    this.#from = Number(batch.fromOffset);
    this.#firstTimestamp = int64(buffer, 27);
    this.#appendTime = (buffer.readInt16BE(21) & LOG_APPEND_TIME) === 0 ? -1 : int64(buffer, 35);
  }

  /** Moves to the next record; false at the end. */
  next(): boolean {
    while (this.#left > 0) {
      this.#left--;
      const length = this.#varint();
      const end = this.#at + length;
      this.#at++;
      const timestampDelta = this.#varint();
      this.offset = this.#base + this.#varint();
      this.timestamp = this.#appendTime < 0 ? this.#firstTimestamp + timestampDelta : this.#appendTime;
      this.#keyLength = this.#varint();
      this.#key = this.#at;
      if (this.#keyLength > 0) this.#at += this.#keyLength;
      this.#valueLength = this.#varint();
      this.#value = this.#at;
      if (this.#valueLength > 0) this.#at += this.#valueLength;
      this.#headers = this.#at;
      this.#at = end;
      if (this.offset >= this.#from) return true;
    }
    return false;
  }

  /** The batch: fields that are read in place lie in it. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  get keyAt(): number {
    return this.#key;
  }

  /** Bytes of the key; -1 = no key. */
  get keyLength(): number {
    return this.#keyLength;
  }

  get valueAt(): number {
    return this.#value;
  }

  /** Bytes of the value; -1 = tombstone. */
  get valueLength(): number {
    return this.#valueLength;
  }

  /** A view of the key, valid as long as the batch; null = no key. */
  keyBytes(): Buffer | null {
    return this.#keyLength < 0 ? null : this.#buffer.subarray(this.#key, this.#key + this.#keyLength);
  }

  /** A view of the value, valid as long as the batch; null = tombstone. */
  valueBytes(): Buffer | null {
    return this.#valueLength < 0 ? null : this.#buffer.subarray(this.#value, this.#value + this.#valueLength);
  }

  /** A view of the first header of that name; null when there is none (or its value is null). */
  header(name: string): Buffer | null {
    for (const [each, value] of this.headers()) if (each === name) return value;
    return null;
  }

  /** True when there is a header of that name (UTF-8) whose value is not null: `headerAt` and `headerEnd` say where. Makes no objects. */
  findHeader(name: Uint8Array): boolean {
    const after = this.#at;
    this.#at = this.#headers;
    let found = false;
    for (let n = this.#varint(); n > 0 && !found; n--) {
      const length = this.#varint();
      const isIt = length === name.length && startsWith(this.#buffer, this.#at, name);
      this.#at += length;
      const valueLength = this.#varint();
      if (isIt && valueLength >= 0) {
        this.headerAt = this.#at;
        this.headerEnd = this.#at + valueLength;
        found = true;
      }
      if (valueLength > 0) this.#at += valueLength;
      if (isIt) break;
    }
    this.#at = after;
    return found;
  }

  /** All headers, in their order. */
  headers(): [name: string, value: Buffer | null][] {
    const after = this.#at;
    this.#at = this.#headers;
    const headers: [string, Buffer | null][] = [];
    for (let n = this.#varint(); n > 0; n--) {
      const length = this.#varint();
      const name = this.#buffer.toString('utf8', this.#at, this.#at + length);
      this.#at += length;
      const valueLength = this.#varint();
      headers.push([name, valueLength < 0 ? null : this.#buffer.subarray(this.#at, this.#at + valueLength)]);
      if (valueLength > 0) this.#at += valueLength;
    }
    this.#at = after;
    return headers;
  }

  #varint(): number {
    let byte = this.#buffer[this.#at++] as number;
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1);
    let unsigned = byte & 127;
    let scale = 128;
    do {
      byte = this.#buffer[this.#at++] as number;
      unsigned += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return unsigned % 2 === 1 ? -(unsigned + 1) / 2 : unsigned / 2;
  }
}

function startsWith(buffer: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (buffer[at + i] !== bytes[i]) return false;
  return true;
}

function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}
