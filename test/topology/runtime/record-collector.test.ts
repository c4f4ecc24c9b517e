import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordError } from '#topology';
import { RecordCollector } from '../../../topology/runtime/record-collector.ts';

const BROKER_TAKES = 2 ** 20;
const recordOf = (bytes: number) => ({ key: Buffer.from('k'), value: Buffer.alloc(bytes), timestamp: 1 });

test('batches are cut by bytes: none is larger than the broker takes, whatever the sizes', () => {
  const collector = new RecordCollector();
  const sizes = [
    699_000,
    699_000,
    10,
    900_000,
    650_000,
    400_000,
    999_990,
    ...Array.from({ length: 300 }, () => 10_000),
  ];
  for (const size of sizes) collector.add('t', 0, recordOf(size), 'w');
  const taken = collector.take();
  const { batches } = taken;
  assert.ok(batches.length > 5);
  for (const { batch } of batches) assert.ok(batch.sizeBytes <= BROKER_TAKES, `${batch.sizeBytes} bytes`);
  assert.equal(
    batches.reduce((sum, { batch }) => sum + batch.count, 0),
    sizes.length,
  );
  let offset = 100n;
  const results = batches.map(({ topic, partition, batch }) => {
    const baseOffset = offset;
    offset += BigInt(batch.count);
    return { topic, partition, baseOffset };
  });
  assert.deepEqual(taken.ends(results), [{ writer: 'w', topic: 't', partition: 0, end: 100n + BigInt(sizes.length) }]);
});

test('a record that the broker would not take is refused alone', () => {
  const collector = new RecordCollector();
  collector.add('t', 0, recordOf(5));
  assert.throws(
    () => collector.add('t', 0, recordOf(BROKER_TAKES)),
    (error) => error instanceof RecordError && error.code === 'SLC_RECORD_TOO_LARGE' && error.hint !== undefined,
  );
  assert.equal(collector.records, 1);
});
