/** `sluice topics` and `sluice inspect` against topics whose every record is known. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  createKafkaClient,
  type KafkaAdmin,
  type KafkaClient,
  type RecordHeader,
  type Serde,
} from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { undocumented } from '../docs/fields.ts';
import { answer, lines, sluice } from './cli.ts';

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: npm test starts the parts and sets it`);
  return value;
}

const env = { SLUICE_KAFKA: given('SLUICE_TEST_KAFKA'), SLUICE_REGISTRY: given('SLUICE_TEST_REGISTRY') };
const topic = `inspect-${randomUUID().slice(0, 8)}`;
const T0 = Date.UTC(2026, 0, 31, 10);

interface Order {
  readonly id: number;
  readonly price: bigint;
  readonly at: number;
  readonly day: number;
  readonly note: string | null;
  readonly tags: readonly string[];
}

const ORDER = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'tags', type: { type: 'array', items: 'string' } },
  ],
};

interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: string;
  readonly key: unknown;
  readonly value: unknown;
  readonly valueForm: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly problem: string | null;
}

describe('topics and inspect', () => {
  let client: KafkaClient;
  let admin: KafkaAdmin;
  let serde: Serde<Order>;
  const order = (id: number): Order => {
    return { id, price: BigInt(id * -125), at: T0 + id, day: 20_484, note: id % 2 === 0 ? null : 'odd', tags: ['a'] };
  };
  const shown = (id: number): unknown => ({
    id,
    price: id === 0 ? '0.00' : `-${((id * 125) / 100).toFixed(2)}`,
    at: new Date(T0 + id).toISOString(),
    day: '2026-01-31',
    note: id % 2 === 0 ? null : 'odd',
    tags: ['a'],
  });

  async function send(
    partition: number,
    records: readonly { key: string | null; value: Uint8Array | null; at: number; headers?: readonly RecordHeader[] }[],
    commit = true,
  ): Promise<void> {
    const producer = await client.producer({ transactionalId: topic });
    await producer.fence();
    await producer.begin();
    const batch = new BatchBuilder();
    for (const { key, value, at, headers } of records)
      batch.append(key === null ? null : Buffer.from(key), value, at, headers);
    await producer.send([{ topic, partition, batch }]);
    await (commit ? producer.commit() : producer.abort());
    await producer.close();
  }

  const inspect = (...args: string[]): Promise<Line[]> =>
    sluice(['inspect', topic, '--json', ...args], env).then((ran) => lines<Line>(ran));

  before(async () => {
    client = createKafkaClient({
      brokers: env.SLUICE_KAFKA.split(','),
      clientId: topic,
      logger: pino({ level: 'silent' }),
    });
    admin = await client.admin();
    await admin.ensureTopics([{ name: topic, partitions: 2 }]);
    serde = await createAvroSerdes({ registryUrl: env.SLUICE_REGISTRY }).open<Order>(
      `${topic}-value`,
      { name: 'order', definition: ORDER },
      { write: true },
    );
    const of = (id: number): { key: string; value: Uint8Array; at: number } => ({
      key: `k${id % 5}`,
      value: serde.serialize(order(id)),
      at: T0 + id * 1_000,
    });
    await send(
      0,
      Array.from({ length: 300 }, (_, id) => of(id)),
    );
    await send(0, [of(999)], false);
    const header: RecordHeader = ['h', Buffer.from('ü')];
    await send(1, [
      { ...of(300), headers: [header, header, ['none', null]] },
      { key: 'k0', value: null, at: T0 + 301_000 },
      { key: null, value: Buffer.from([0, 0, 0, 0]), at: T0 + 302_000 },
      { key: 'json', value: Buffer.from('{"a": [1]}'), at: T0 + 303_000 },
      { key: 'cut', value: serde.serialize(order(7)).subarray(0, 9), at: T0 + 304_000 },
    ]);
  });
  after(async () => {
    await admin.deleteTopics([topic]);
    await client.close();
  });

  test('topics: partitions, records, sizes, event times', async () => {
    const { topics } = answer<{ topics: { name: string; bytes: number; offsets: number }[] }>(
      await sluice(['topics', '--all', '--count', '--json'], env),
    );
    assert.deepEqual(undocumented('topics', { topics }), []);
    const { bytes, offsets, ...rest } = topics.find(({ name }) => name === topic) ?? assert.fail('it is not there');
    assert.deepEqual(rest, {
      name: topic,
      tier: null,
      kind: 'foreign',
      partitions: 2,
      records: 305,
      oldest: new Date(T0).toISOString(),
      newest: new Date(T0 + 304_000).toISOString(),
      schema: null,
    });
    // Two markers, and the aborted record with its own.
    assert.equal(offsets, 305 + 2 + 2);
    assert.ok(bytes > 305 * 10 && bytes < 305 * 200, `${bytes} bytes`);
  });

  test('the newest: decoded, with headers and tombstones; what does not decode as hex, with the reason', async () => {
    const found = await inspect('--limit', '5');
    assert.deepEqual(
      found.map(({ partition, offset }) => [partition, offset]),
      [0, 1, 2, 3, 4].map((offset) => [1, offset]),
    );
    assert.deepEqual(found[0]?.value, shown(300));
    assert.deepEqual(undocumented('inspect', found), []);
    assert.deepEqual(found[0]?.headers, { h: ['ü', 'ü'], none: null });
    assert.deepEqual([found[1]?.key, found[1]?.value, found[1]?.valueForm], ['k0', null, 'none']);
    assert.deepEqual([found[2]?.value, found[2]?.valueForm], ['00000000', 'hex']);
    assert.deepEqual([found[3]?.value, found[3]?.valueForm], [{ a: [1] }, 'json']);
    assert.equal(found[4]?.valueForm, 'hex');
    assert.match(found[4]?.problem ?? '', /SLC_RECORD_DECODE/);
  });

  test('more than the first window: backwards to the start', async () => {
    const found = await inspect('--limit', '290');
    assert.equal(found.length, 290);
    assert.deepEqual(
      found.slice(0, 285).map(({ value }) => value),
      Array.from({ length: 285 }, (_, i) => shown(i + 15)),
    );
  });

  test('by key, offset, time and partition; aborted records never', async () => {
    assert.deepEqual(
      (await inspect('--key', 'k3', '--limit', '1000')).map(({ value }) => value),
      Array.from({ length: 60 }, (_, i) => shown(i * 5 + 3)),
    );
    const offsets = await inspect('--from', '250', '--to', '1000', '--partition', '0', '--limit', '1000');
    assert.deepEqual(
      offsets.map(({ offset }) => offset),
      Array.from({ length: 50 }, (_, i) => i + 250),
    );
    const times = await inspect('--from', '2026-01-31T10:04:50', '--to', '2026-01-31T10:05:01Z', '--limit', '1000');
    assert.deepEqual(
      times.map(({ value }) => value),
      Array.from({ length: 11 }, (_, i) => shown(i + 290)),
    );
    assert.deepEqual(
      (await inspect('--from', 'earliest', '--limit', '2')).map(({ value }) => value),
      [shown(0), shown(1)],
    );
    assert.deepEqual(await inspect('--from', '2027-01-01'), []);
  });

  test('tail follows what is committed', async () => {
    const tailing = inspect('--tail', '--limit', '2', '--from', '1', '--partition', '1', '--key', 'later');
    await send(1, [{ key: 'later', value: Buffer.from('lost'), at: T0 }], false);
    await send(1, [{ key: 'later', value: Buffer.from('one'), at: T0 }]);
    await send(1, [{ key: 'later', value: Buffer.from('two'), at: T0 }]);
    assert.deepEqual(
      (await tailing).map(({ value }) => value),
      ['one', 'two'],
    );
  });

  test('for people: one line a record, no colours into a pipe', async () => {
    const { out } = await sluice(['inspect', topic, '--partition', '1', '--from', '1', '--limit', '2'], env);
    const [tombstone, broken, problem] = out.split('\n');
    assert.equal(tombstone, `2026-01-31 10:05:01.000  ${topic}-1@1  k0  tombstone`);
    assert.equal(broken, `2026-01-31 10:05:02.000  ${topic}-1@2  -  0x00000000`);
    assert.match(problem ?? '', /cannot be read: neither Avro nor text/);
  });

  test('an unknown topic: the nearest names; a wrong option: exit code 2', async () => {
    const unknown = await sluice(['inspect', topic.replace('inspect', 'inspekt')], env);
    assert.deepEqual([unknown.code, unknown.err.includes(`did you mean ${topic}`)], [1, true]);
    const wrong = await sluice(['inspect', topic, '--from', 'yesterday'], env);
    assert.deepEqual([wrong.code, /SLC_CONFIG_OPTION/.test(wrong.err)], [2, true]);
    const beyond = await sluice(['inspect', topic, '--partition', '2'], env);
    assert.deepEqual([beyond.code, /has partitions 0 to 1/.test(beyond.err)], [2, true]);
  });

  test('a broker that is away is an error with a code, within the time', async () => {
    const { code, err } = await sluice(['topics'], { SLUICE_KAFKA: '127.0.0.1:1' });
    assert.deepEqual([code, /SLC_BROKER_\w+/.test(err)], [1, true]);
  });
});
