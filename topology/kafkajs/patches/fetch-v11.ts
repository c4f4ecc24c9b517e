/**
 * kafkajs makes an encoder (a zeroed buffer each) per partition of a fetch request and three promises per partition of its response. A reader of a shop asks
 * for two hundred partitions many times a second, most of them empty: a twentieth of what its process costs. Here both are one walk over one buffer.
 */
import type { RawMessages } from './raw-fetch.ts';
import { type Encoder, encoderOf, writeString } from './encoder.ts';

/** What kafkajs's broker asks for; a topic may come several times. */
export interface FetchRequest {
  readonly replicaId: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel?: number;
  readonly rackId?: string;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string | bigint;
      readonly maxBytes: number;
    }[];
  }[];
}

/** A partition of the response. Offsets are below 2^53, as everywhere in the driver; those of aborted transactions are text, as kafkajs has them. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly lastStartOffset: number;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly preferredReadReplica: number;
  readonly messages: RawMessages;
}

/** A response. */
export interface FetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

const READ_COMMITTED = 1;
/** Replica, wait, least and most bytes, isolation, session and its epoch, number of topics. */
const HEAD_BYTES = 29;
/** Number, leader epoch, offset, start of the log, bytes. */
const PARTITION_BYTES = 28;
const NO_BYTES: RawMessages = [];
const NONE_ABORTED: FetchedPartition['abortedTransactions'] = [];

/** A fetch request of version 11, outside of any session. */
export function encodeFetch({ rackId = '', isolationLevel = READ_COMMITTED, ...request }: FetchRequest): Encoder {
  let size = HEAD_BYTES + 4 + 2 + Buffer.byteLength(rackId);
  for (const { topic, partitions } of request.topics) {
    size += 6 + Buffer.byteLength(topic) + partitions.length * PARTITION_BYTES;
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeInt32BE(request.replicaId, 0);
  at = bytes.writeInt32BE(request.maxWaitTime, at);
  at = bytes.writeInt32BE(request.minBytes, at);
  at = bytes.writeInt32BE(request.maxBytes, at);
  at = bytes.writeInt8(isolationLevel, at);
  at = bytes.writeInt32BE(0, at);
  at = bytes.writeInt32BE(-1, at);
  at = bytes.writeInt32BE(request.topics.length, at);
  for (const { topic, partitions } of request.topics) {
    at = writeString(bytes, at, topic);
    at = bytes.writeInt32BE(partitions.length, at);
    for (const { partition, fetchOffset, maxBytes } of partitions) {
      at = bytes.writeInt32BE(partition, at);
      at = bytes.writeInt32BE(-1, at);
      at = bytes.writeBigInt64BE(BigInt(fetchOffset), at);
      at = bytes.writeBigInt64BE(-1n, at);
      at = bytes.writeInt32BE(maxBytes, at);
    }
  }
  at = bytes.writeInt32BE(0, at);
  writeString(bytes, at, rackId);
  return encoderOf(bytes);
}

/** A response of version 11. RangeError for one that ends too early. */
export function decodeFetch(bytes: Buffer): FetchResponse {
  const walk = new Walk(bytes);
  const clientSideThrottleTime = walk.int32();
  const errorCode = walk.int16();
  const sessionId = walk.int32();
  const responses: { topicName: string; partitions: FetchedPartition[] }[] = [];
  for (let topics = walk.int32(); topics > 0; topics--) {
    const topicName = walk.text();
    const partitions: FetchedPartition[] = [];
    for (let left = walk.int32(); left > 0; left--) partitions.push(partitionAt(walk));
    responses.push({ topicName, partitions });
  }
  // The broker leaves throttling to its clients: kafkajs's queue does that by the other figure.
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function partitionAt(walk: Walk): FetchedPartition {
  return {
    partition: walk.int32(),
    errorCode: walk.int16(),
    highWatermark: walk.int64(),
    lastStableOffset: walk.int64(),
    lastStartOffset: walk.int64(),
    abortedTransactions: abortedAt(walk),
    preferredReadReplica: walk.int32(),
    messages: walk.records(),
  };
}

function abortedAt(walk: Walk): FetchedPartition['abortedTransactions'] {
  const count = walk.int32();
  if (count <= 0) return NONE_ABORTED;
  return Array.from({ length: count }, () => ({ producerId: walk.int64Text(), firstOffset: walk.int64Text() }));
}

class Walk {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  int64(): number {
    return this.int32() * 0x1_0000_0000 + (this.int32() >>> 0);
  }

  int64Text(): string {
    const value = this.#bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return String(value);
  }

  text(): string {
    const length = this.int16();
    const from = this.#at;
    if (length > 0) this.#at += length;
    return this.#bytes.toString('utf8', from, this.#at);
  }

  /** A view. */
  records(): RawMessages {
    const size = this.int32();
    const end = this.#at + size;
    if (size <= 0 || end > this.#bytes.length) return NO_BYTES;
    const raw = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return Object.assign([], { raw });
  }
}
