/** The workload is the same on every machine, and its right results follow from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AvroReader } from '../../../dev/bench/avro-writer.ts';
import { spreadOf } from '../../../dev/bench/report.ts';
import { checksumOfCounts, DATASETS, pageviews } from '../../../dev/bench/workload.ts';

const HOUR_MS = 3_600_000;
const ADVANCE_MS = 900_000;

/** Counts by the rule alone: a view 1 h behind the newest of its partition no longer counts. */
function countsOf(records: number): Map<string, number> {
  const newest = new Map<number, number>();
  const counts = new Map<string, number>();
  const avro = new AvroReader();
  for (const { value, timestamp, partition } of pageviews(records)) {
    avro.open(Buffer.from(value));
    avro.text();
    avro.text();
    const item = avro.text();
    if (item === '') continue;
    const key = `${item}|${avro.text()}`;
    newest.set(partition, Math.max(timestamp, newest.get(partition) ?? 0));
    if (timestamp < (newest.get(partition) ?? 0) - HOUR_MS) continue;
    const last = timestamp - (timestamp % ADVANCE_MS);
    for (let start = last; start > timestamp - HOUR_MS; start -= ADVANCE_MS) {
      counts.set(`${start}|${key}`, (counts.get(`${start}|${key}`) ?? 0) + 1);
    }
  }
  return counts;
}

test('the counts of the small data set are those that engines are checked against', () => {
  assert.equal(checksumOfCounts(countsOf(DATASETS.small.records)), DATASETS.small.counts);
});

test('the median of an even number of runs lies between the middle ones', () => {
  assert.deepEqual(spreadOf([4, 1, 2, 8]), { median: 3, min: 1, max: 8 });
});
