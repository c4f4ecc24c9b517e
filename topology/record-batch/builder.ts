import { crc32c } from './crc32c.ts';

/** One header of a record. */
export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** Bytes of a v2 batch before its first record. */
export const BATCH_HEADER_BYTES = 61;

const START_BYTES = 4_096;
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
  #bytes = Buffer.allocUnsafeSlow(START_BYTES);
  #size = BATCH_HEADER_BYTES;
  #count = 0;
  #firstTimestamp = 0;
  #maxTimestamp = 0;

  /** Records in it. */
  get count(): number {
    return this.#count;
  }

  /** Size of the whole batch, header included. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** Appends a record. `timestamp` in ms since the epoch. */
  append(
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): void {
    if (this.#count === 0) {
      this.#firstTimestamp = timestamp;
      this.#maxTimestamp = timestamp;
    } else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const timestampDelta = zigzag(timestamp - this.#firstTimestamp);
    const offsetDelta = this.#count * 2;
    const body =
      1 +
      varintSize(timestampDelta) +
      varintSize(offsetDelta) +
      fieldSize(key) +
      fieldSize(value) +
      headersSize(headers);
    this.#room(varintSize(body * 2) + body);
    this.#varint(body * 2);
    this.#bytes[this.#size++] = 0;
    this.#varint(timestampDelta);
    this.#varint(offsetDelta);
    this.#field(key);
    this.#field(value);
    this.#varint(headers.length * 2);
    for (const [name, content] of headers) {
      this.#field(nameBytes(name));
      this.#field(content);
    }
    this.#count++;
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
    this.#bytes.copy(grown, 0, 0, this.#size);
    this.#bytes = grown;
  }

  #varint(unsigned: number): void {
    let rest = unsigned;
    while (rest > 127) {
      this.#bytes[this.#size++] = (rest & 127) | 128;
      rest = rest > 0x7fff_ffff ? Math.floor(rest / 128) : rest >>> 7;
    }
    this.#bytes[this.#size++] = rest;
  }

  #field(content: Uint8Array | null): void {
    if (content === null) {
      this.#bytes[this.#size++] = 1;
      return;
    }
    const { length } = content;
    this.#varint(length * 2);
    if (length > LOOP_BYTES) this.#bytes.set(content, this.#size);
    else for (let i = 0; i < length; i++) this.#bytes[this.#size + i] = content[i] ?? 0;
    this.#size += length;
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

const fieldSize = (content: Uint8Array | null): number =>
  content === null ? 1 : varintSize(content.length * 2) + content.length;

function headersSize(headers: readonly RecordHeader[]): number {
  let size = varintSize(headers.length * 2);
  for (const [name, content] of headers) {
    size += fieldSize(nameBytes(name)) + fieldSize(content);
  }
  return size;
}
