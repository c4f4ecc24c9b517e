/** What the benchmark of growth makes of runs, and what it does not believe. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { growthCases } from '../../../dev/bench/growth.ts';
import { type GrowthCase, growthOf, growthTable } from '../../../dev/bench/growth-report.ts';
import type { RunResult } from '../../../dev/bench/measure.ts';

const FIRST: GrowthCase = { name: 'as it is', records: 1_000, hotItems: 10, partitions: 6, workers: 1 };

const runOf = (cpuSeconds: number, peakRssMb: number, checksumOk = true): RunResult => ({
  engine: 'sluice',
  wallSeconds: 1,
  cpuSeconds,
  brokerCpuSeconds: 0,
  peakRssMb,
  outputRows: 1,
  checksum: '',
  checksumOk,
  load: [0, 0],
  log: '',
});
const tableOf = (...of: Parameters<typeof growthOf>[0]): string =>
  growthTable({
    machine: { cpu: 'a', cores: 2, memoryGb: 4, node: 'v24' },
    at: '',
    checksumOk: true,
    cases: growthOf(of),
  });

test('one thing grows at a time, ten times the records and keys; workers and partitions together last', () => {
  const [first, ...others] = growthCases(2_000_000);
  assert.deepEqual(first, { name: 'as it is', records: 2_000_000, hotItems: 2_000, partitions: 6, workers: 1 });
  const changes = others.map((one) =>
    Object.entries(one).filter(([what, value]) => what !== 'name' && first?.[what as keyof GrowthCase] !== value),
  );
  assert.deepEqual(changes, [
    [['hotItems', 20_000]],
    [['records', 20_000_000]],
    [['workers', 2]],
    [['workers', 4]],
    [['partitions', 24]],
    [
      ['partitions', 24],
      ['workers', 4],
    ],
  ]);
});

test('records per CPU-second are of the records of the case; the first case is what others are compared with', () => {
  const ten = { ...FIRST, name: '10 x records', records: 10_000 };
  const [first, grown] = growthOf([
    [FIRST, [runOf(2, 100), runOf(4, 120), runOf(2.5, 110)]],
    [ten, [runOf(50, 220), runOf(40, 200), runOf(62.5, 240)]],
  ]);
  assert.deepEqual(first?.recordsPerCpuSecond, { median: 400, min: 250, max: 500 });
  assert.deepEqual(first?.toFirst, { recordsPerCpuSecond: 1, peakRss: 1 });
  assert.deepEqual(grown?.recordsPerCpuSecond, { median: 200, min: 160, max: 250 });
  assert.deepEqual(grown?.toFirst, { recordsPerCpuSecond: 0.5, peakRss: 2 });
});

test('one wrong run makes its case wrong, and so does none', () => {
  const [right, wrong, none] = growthOf([
    [FIRST, [runOf(1, 1)]],
    [FIRST, [runOf(1, 1), runOf(1, 1, false)]],
    [FIRST, []],
  ]);
  assert.deepEqual([right?.checksumOk, wrong?.checksumOk, none?.checksumOk], [true, false, false]);
  assert.match(tableOf([FIRST, [runOf(1, 1)]]), /^\| as it is \| 1000 \| 10 \| 6 \| 1 \| 1 \| 1000 .*\| right \|$/m);
  assert.match(tableOf([FIRST, [runOf(1, 1), runOf(1, 1, false)]]), /\| WRONG \|$/m);
});
