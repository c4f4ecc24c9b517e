/** The workload is the same on every machine, and its right results follow from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectedCounts, expectedEnriched } from '../../../dev/bench/expected.ts';
import { spreadOf } from '../../../dev/bench/report.ts';
import { DATASETS } from '../../../dev/bench/workload.ts';

test('the results of the small data set are those that engines are checked against', () => {
  assert.equal(expectedCounts(DATASETS.small).checksum, DATASETS.small.counts);
  assert.equal(expectedEnriched(DATASETS.small), DATASETS.small.enriched);
});

test('the counts are the sum in their checksum; what is too late is in the updates only', () => {
  const { checksum, counts, updates } = expectedCounts({ records: 20_000 });
  assert.equal(checksum.split(':')[1], String(counts));
  assert.ok(updates > counts, `${updates} updates, ${counts} counts`);
  assert.equal(updates % 4, 0);
});

test('ten times the items are more keys; the number of partitions changes nothing of what there is to count', () => {
  const keysOf = (checksum: string): number => Number(checksum.split(':')[0]);
  const few = expectedCounts({ records: 20_000 });
  const many = expectedCounts({ records: 20_000, hotItems: 20_000 });
  assert.ok(keysOf(many.checksum) > keysOf(few.checksum));
  assert.equal(expectedCounts({ records: 20_000, partitions: 24 }).updates, few.updates);
});

test('the median of an even number of runs lies between the middle ones', () => {
  assert.deepEqual(spreadOf([4, 1, 2, 8]), { median: 3, min: 1, max: 8 });
});
