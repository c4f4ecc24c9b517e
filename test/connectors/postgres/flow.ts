/** A topic that anybody can compute: what stands at an offset of a partition is a function of both. */
import { type Serde, type SerdeFactory, topic } from '#topology';
import type { TestDatabase } from './harness.ts';
import assert from 'node:assert/strict';

export const PARTITIONS = 4;
export const flowTopic = topic('gold.numbers', { value: { name: 'numbers', definition: {} }, partitions: PARTITIONS });

/** Values as JSON: what is tested here is not Avro. */
class JsonSerde implements Serde<unknown> {
  serialize(value: unknown): Uint8Array {
    return Buffer.from(JSON.stringify(value));
  }
  deserialize(bytes: Uint8Array): unknown {
    return JSON.parse(Buffer.from(bytes).toString());
  }
}
export const jsonSerdes: SerdeFactory = { open: async <T>() => new JsonSerde() as Serde<T> };

/** Few keys, so that most records replace another; some deletes; some that PostgreSQL cannot hold; some that are no JSON. */
export function recordAt(partition: number, offset: number): readonly [key: string, value: string | null] {
  const key = `p${partition}-k${(offset * 7_919) % 61}`;
  if (offset % 17 === 16) return [key, null];
  if (offset % 997 === 500) return [key, 'no JSON'];
  return [key, JSON.stringify({ someNumber: offset, label: offset % 991 === 700 ? 'poison \0' : null })];
}

const isBad = (value: string | null): boolean => value?.startsWith('no') === true || value?.includes('poison') === true;

/** Every row is the last value of its key among the first `count` records of each partition, by what the sink can write. */
export async function checkRows(database: TestDatabase, count: number): Promise<void> {
  const expected = new Map<string, string>();
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for (let offset = 0; offset < count; offset += 1) {
      const [key, value] = recordAt(partition, offset);
      if (value === null) expected.delete(key);
      else if (!isBad(value)) expected.set(key, `${partition}@${offset}`);
    }
  }
  const rows = await database.query<{ key: string; at: string; same: boolean }>(
    "select key, _partition || '@' || _offset as at, some_number = _offset as same from gold.numbers",
  );
  assert.deepEqual(new Map(rows.map((row) => [row.key, row.at])), expected);
  assert.ok(rows.every((row) => row.same));
}

/** Offsets that belong into the dead letters, as `partition@offset`. */
export function badRecords(count: number): Set<string> {
  const bad = new Set<string>();
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for (let offset = 0; offset < count; offset += 1) {
      if (isBad(recordAt(partition, offset)[1])) bad.add(`${partition}@${offset}`);
    }
  }
  return bad;
}

export async function positions(database: TestDatabase, application: string): Promise<Map<number, number>> {
  const rows = await database.query<{ partition: number; next: string | null }>(
    'select partition, next_offset as next from sluice.sink_offsets where application = $1',
    [application],
  );
  return new Map(rows.map((row) => [row.partition, Number(row.next ?? 0)]));
}
