/** Reading between two offsets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder } from '#topology';
import { FakeKafka } from '#topology/testing';
import { scan } from '../../../dev/inspect/scan.ts';

test('a log that is trimmed while it is read: what is left is read, and the others whole', async () => {
  const client = new FakeKafka().client();
  const admin = await client.admin();
  await admin.ensureTopics([{ name: 'shop-a-repartition', partitions: 2 }]);
  const producer = await client.producer();
  const partitions = [0, 1].map((partition) => ({ topic: 'shop-a-repartition', partition }));
  for (const at of partitions) {
    const batch = new BatchBuilder();
    for (let i = 0; i < 10; i++) batch.append(null, Buffer.from('x'), i);
    await producer.send([{ ...at, batch }]);
    const second = new BatchBuilder();
    for (let i = 0; i < 5; i++) second.append(null, Buffer.from('x'), i);
    await producer.send([{ ...at, batch: second }]);
  }
  const ranges = (await admin.offsets(partitions, { committed: true })).map((range, i) => {
    return { topic: 'shop-a-repartition', partition: i, start: range.start, end: range.end };
  });
  await admin.deleteRecords([{ topic: 'shop-a-repartition', partition: 1, offset: 10n }]);

  const read = [0, 0];
  const isAll = await scan({
    client,
    ranges,
    deadline: Date.now() + 10_000,
    take: ({ partition }) => {
      read[partition] = (read[partition] ?? 0) + 1;
      return undefined;
    },
  });
  assert.deepEqual([isAll, read], [true, [15, 5]]);
  await producer.close();
});
