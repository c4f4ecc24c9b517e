/** The part of the contract suite about a reader of several partitions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordCursor, TaskCorruptedError } from '#topology';
import type { ContractContext } from './contract-groups.ts';
import { ready, record } from './contract-records.ts';

const MAX_POLLS = 400;

/** Declares the tests. */
export function readerTests({ makeClient, admin, newTopic }: ContractContext): void {
  test('a partition that cannot be read takes nothing from the others', async (t) => {
    const client = makeClient();
    t.after(() => client.close());
    const topic = await newTopic(2);
    const whole = { topic, partition: 0 };
    const cut = { topic, partition: 1 };
    const producer = await client.producer();
    for (const tp of [whole, cut])
      await producer.send([
        ready(
          tp,
          ['0', '1', '2'].map((value) => record(value)),
        ),
      ]);
    await admin().deleteRecords([{ ...cut, offset: 2n }]);
    const reader = await client.reader({ committed: true });
    reader.seek(whole, 'earliest');
    reader.seek(cut, 1n);
    const seen = { records: 0, failures: 0 };
    const cursor = new RecordCursor();
    for (let polls = 0; polls < MAX_POLLS && (seen.failures === 0 || seen.records < 3); polls++) {
      const fetched = await reader.poll(20).catch((error: unknown) => {
        assert.ok(error instanceof TaskCorruptedError, String(error));
        seen.failures++;
        reader.remove(cut);
        return [];
      });
      for (const batch of fetched.flatMap(({ batches }) => batches)) {
        cursor.open(batch);
        while (cursor.next()) seen.records++;
      }
    }
    assert.deepEqual(seen, { records: 3, failures: 1 });
  });
}
