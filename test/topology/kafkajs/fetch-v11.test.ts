/** Fetch requests and responses are what kafkajs's own code, which is loaded beside ours, makes of the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeFetch,
  encodeFetch,
  type FetchRequest,
  type FetchResponse,
} from '../../../topology/kafkajs/patches/fetch-v11.ts';
import { requireKafkajs } from '../../../topology/kafkajs/patches/replace-module.ts';
import { randomOf } from '../../random.ts';

const encodeTheirs = requireKafkajs('kafkajs/src/protocol/requests/fetch/v11/request') as (request: FetchRequest) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};
const { random } = randomOf('fetch-v11');
const int = (below: number): number => Math.floor(random() * below);

test('a request is, byte by byte, that of kafkajs', async () => {
  for (let nth = 0; nth < 200; nth++) {
    const request: FetchRequest = {
      replicaId: -1,
      maxWaitTime: int(10_000),
      minBytes: 1,
      maxBytes: int(2 ** 30),
      isolationLevel: int(2),
      rackId: nth % 2 === 0 ? '' : 'räck',
      topics: Array.from({ length: int(5) }, (_, i) => ({
        topic: `topic.${i}`.repeat(1 + int(20)),
        partitions: Array.from({ length: int(7) }, (_each, partition) => ({
          partition,
          fetchOffset: String(int(2 ** 45)),
          maxBytes: int(2 ** 20),
        })),
      })),
    };
    const ours = encodeFetch(request);
    assert.deepEqual(ours.buf.subarray(0, ours.offset), (await encodeTheirs(request).encode()).buffer);
  }
});

interface Written {
  readonly records: Buffer | null;
  readonly aborted: number;
}

const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

function partitionBytes(number: number, { records, aborted }: Written): Buffer {
  const offsets = [2n ** 44n + 7n, -1n, 0n].map(int64);
  const transactions = Array.from({ length: Math.max(0, aborted) }, (_, i) => [
    int64(2n ** 60n + 1n),
    int64(BigInt(i)),
  ]);
  return Buffer.concat([
    int32(number),
    Buffer.from([0, number % 3 === 0 ? 3 : 0]),
    ...offsets,
    int32(aborted),
    ...transactions.flat(),
    int32(-1),
    int32(records === null ? -1 : records.length),
    records ?? Buffer.alloc(0),
  ]);
}

test('a response is read as kafkajs reads it: offsets as numbers, records as a view of the bytes', () => {
  const parts: Written[] = [
    { records: Buffer.from('some records'), aborted: -1 },
    { records: null, aborted: 0 },
    { records: Buffer.alloc(0), aborted: 2 },
    { records: Buffer.from('more'), aborted: 1 },
  ];
  const topic = (name: string, of: readonly Written[]): Buffer =>
    Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      int32(of.length),
      ...of.map((each, i) => partitionBytes(i, each)),
    ]);
  const head = [int32(250), Buffer.from([0, 5]), int32(77)];
  const bytes = Buffer.concat([...head, int32(2), topic('first', parts), topic('second', [])]);
  const read = decodeFetch(bytes);
  assert.deepEqual([read.throttleTime, read.clientSideThrottleTime, read.errorCode, read.sessionId], [0, 250, 5, 77]);
  assert.deepEqual(
    read.responses.map(({ topicName, partitions }) => [topicName, partitions.length]),
    [
      ['first', 4],
      ['second', 0],
    ],
  );
  const partitions = read.responses[0]?.partitions ?? [];
  assert.deepEqual(
    partitions.map(({ messages }) => messages.raw?.toString()),
    ['some records', undefined, undefined, 'more'],
  );
  assert.equal(partitions[0]?.messages.raw?.buffer, bytes.buffer);
  assert.deepEqual(
    partitions.map(({ partition, errorCode, preferredReadReplica }) => [partition, errorCode, preferredReadReplica]),
    [
      [0, 3, -1],
      [1, 0, -1],
      [2, 0, -1],
      [3, 3, -1],
    ],
  );
  for (const { highWatermark, lastStableOffset, lastStartOffset } of partitions) {
    assert.deepEqual([highWatermark, lastStableOffset, lastStartOffset], [2 ** 44 + 7, -1, 0]);
  }
  const two = [0, 1].map((i) => ({ producerId: String(2n ** 60n + 1n), firstOffset: `${i}` }));
  assert.deepEqual(
    partitions.map(({ abortedTransactions }) => abortedTransactions),
    [[], [], two, two.slice(0, 1)],
  );
});

test('a response that ends too early is an error; records that do are none', () => {
  const bytes = Buffer.concat([
    int32(0),
    Buffer.from([0, 0]),
    int32(0),
    int32(1),
    Buffer.from([0, 1]),
    Buffer.from('t'),
    int32(1),
  ]);
  assert.throws(() => decodeFetch(bytes), RangeError);
  const cut = Buffer.concat([bytes, partitionBytes(0, { records: Buffer.from('records'), aborted: 0 })]).subarray(
    0,
    -1,
  );
  const read: FetchResponse = decodeFetch(cut);
  assert.equal(read.responses[0]?.partitions[0]?.messages.raw, undefined);
});
