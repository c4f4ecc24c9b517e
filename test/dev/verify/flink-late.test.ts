/** What a late topic says of a record, as far as Flink is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lateEntryOf } from '../../../dev/verify/flink/late-records.ts';
import { report } from '../../../dev/verify/report.ts';

const entry = (value: unknown, windowStart: number | null, topic = 'gold.registrations_hourly.late') =>
  lateEntryOf(topic, `${topic}-0@7`, 5, JSON.stringify({ windowStart, value }));

test('an event that one window refused, and one that was refused before any', () => {
  const stage = 'gold.registrations_hourly';
  assert.deepEqual(entry({ eventId: 'a' }, 900), { stage, id: 'a', timestamp: 5, isAtDedupe: false, windowStart: 900 });
  assert.deepEqual(entry({ eventId: 'a' }, null), {
    stage,
    id: 'a',
    timestamp: 5,
    isAtDedupe: true,
    windowStart: null,
  });
});

test('a visit that no session took is late as a whole, whatever its window; an order goes by its purchase', () => {
  const visit = entry({ userId: 1, entry: { at: 5, eventId: 'b' } }, 900, 'silver.sessions.late');
  assert.deepEqual(visit, { stage: 'silver.sessions', id: 'b', timestamp: 5, isAtDedupe: false, windowStart: null });
  const order = entry({ purchaseId: 12 }, 900, 'gold.sales_perf_24h.late');
  assert.deepEqual([order.id, order.windowStart], ['12', 900]);
});

test('an entry that does not tell whose it is ends the comparison', () => {
  const code = { code: 'SLC_VERIFY_LATE' };
  assert.throws(() => entry({ userId: 1, entry: null }, 900, 'silver.sessions.late'), code);
  assert.throws(() => lateEntryOf('gold.sales_perf_24h.late', 'gold.sales_perf_24h.late-0@7', 5, 'no JSON'), code);
});

test('the report tells who said what a table must have, and zero rows are no success', () => {
  const rows = { name: 'x', rows: 0, differing: 0, missing: 0, extra: 0, examples: ['no rows'], ok: false };
  const text = report([{ table: 'silver.sessions', place: 'Kafka', by: 'Flink', rows, late: undefined }], undefined);
  assert.match(text, /silver\.sessions +Kafka, by Flink +0 +0 .* WRONG\n/);
});
