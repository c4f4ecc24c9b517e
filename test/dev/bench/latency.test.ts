/** What the benchmark of latency makes of times, and what it does not believe. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isRight,
  latenciesOf,
  type LatencyRun,
  latencyRatio,
  latencyTable,
  percentile,
} from '../../../dev/bench/latency-report.ts';

const RUN: LatencyRun = {
  engine: 'sluice',
  p50: 10,
  p99: 20,
  max: 40,
  measured: 100,
  missing: 0,
  rate: 5_000,
  cpuSeconds: 3,
  checksum: '1:1:1',
  checksumOk: true,
  load: [0, 0],
  log: '',
};
const MACHINE = { cpu: 'a', cores: 2, memoryGb: 4, node: 'v24' };

const tableOf = (...runs: readonly LatencyRun[]): string =>
  latencyTable({ machine: MACHINE, at: '', rate: 5_000, warmupSeconds: 1, measuredSeconds: 2, checksumOk: true, runs });

describe('times', () => {
  test('a percentile is a value that was seen: the least that so many do not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    assert.deepEqual(
      [0, 0.5, 0.99, 1].map((share) => percentile(hundred, share)),
      [1, 50, 99, 100],
    );
    assert.deepEqual(
      [0.5, 0.99].map((share) => percentile([7], share)),
      [7, 7],
    );
    assert.ok(Number.isNaN(percentile([], 0.5)));
  });

  test('from sent to seen, behind the warm-up; sorted as numbers', () => {
    const sent = Float64Array.of(0, 0, 100, 200, 300, 400);
    const seen = Float64Array.of(9_000, 9_000, 109, 210, 1_400, 402);
    const expected = { p50: 9, p99: 1_100, max: 1_100, measured: 4, missing: 0 };
    assert.deepEqual(latenciesOf(sent, seen, 2), expected);
  });

  test('a record that was never seen has no time, and is missing', () => {
    const { max, measured, missing } = latenciesOf(Float64Array.of(0, 1, 2), Float64Array.of(5, NaN, 5), 0);
    assert.deepEqual({ max, measured, missing }, { max: 5, measured: 3, missing: 1 });
  });
});

describe('what is believed', () => {
  test('a run with every record seen and every row right; a missing or a wrong one is told in the table', () => {
    assert.equal(isRight(RUN), true);
    for (const wrong of [{ missing: 1 }, { checksumOk: false }]) {
      assert.equal(isRight({ ...RUN, ...wrong }), false);
      assert.match(tableOf(RUN, { ...RUN, ...wrong }), /^\| sluice \| 2 .*\| WRONG \|$/m);
    }
    assert.match(tableOf(RUN), /^\| sluice \| 1 \| 10 \(10-10\) \| 20 \(20-20\) \| 40 \(40-40\) .*\| right \|$/m);
  });

  test("the ratio is Sluice's share of the peer's time: of the medians, with the spread of the pairs", () => {
    const peers = [20, 40, 80].map((p50): LatencyRun => ({ ...RUN, engine: 'kafka-streams', p50, p99: 40, max: 20 }));
    const ours = [10, 10, 10].map((p50): LatencyRun => ({ ...RUN, p50 }));
    const ratio = latencyRatio(peers.flatMap((peer, i) => [peer, ours[i] ?? RUN]));
    assert.deepEqual(ratio, {
      p50: 0.25,
      p99: 0.5,
      max: 2,
      spread: {
        p50: { median: 0.25, min: 0.125, max: 0.5 },
        p99: { median: 0.5, min: 0.5, max: 0.5 },
        max: { median: 2, min: 2, max: 2 },
      },
    });
    assert.equal(latencyRatio(ours), undefined);
  });
});
