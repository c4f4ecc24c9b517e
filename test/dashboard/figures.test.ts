/** Figures as people read them, and the figures of charts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  countText,
  durationText,
  plural,
  rateText,
  shortName,
  shortText,
  timeText,
} from '../../dashboard/page/format.ts';
import { sparkPaths } from '../../dashboard/page/spark.ts';
import { chartOf } from '../../dashboard/warehouse.ts';

describe('figures', () => {
  test('counts and rates', () => {
    assert.deepEqual([0, 0.04, 0.5, 3, 9.94, 9.96, 128, 999.4].map(shortText), [
      '0',
      '0',
      '0.5',
      '3',
      '9.9',
      '10',
      '128',
      '999',
    ]);
    assert.deepEqual([999.6, 1_234, 9_960, 12_345, 999_499].map(shortText), ['1k', '1.2k', '10k', '12k', '999k']);
    assert.deepEqual([999_600, 1_250_000, 12e6].map(shortText), ['1M', '1.3M', '12M']);
    assert.deepEqual([shortText(null), rateText(null), rateText(2.5)], ['–', '–', '2.5/s']);
    assert.deepEqual([countText(1_234_567), countText(undefined)], ['1,234,567', '–']);
    assert.deepEqual(
      [plural(1, 'row'), plural(2_000, 'row'), plural(0, 'process', 'processes')],
      ['1 row', '2,000 rows', '0 processes'],
    );
  });

  test('durations have two units at most', () => {
    assert.deepEqual(
      [-5, 400, 9_940, 12_000, 59_400, 60_000, 185_000, 3_600_000, 7_620_000, 86_400_000 * 3 + 14_400_000].map(
        durationText,
      ),
      ['0.0 s', '0.4 s', '9.9 s', '12 s', '59 s', '1 m 00 s', '3 m 05 s', '1 h 00 m', '2 h 07 m', '3 d 4 h'],
    );
    assert.equal(durationText(null), '–');
  });

  test('times have a day when it is another one', () => {
    const now = Date.parse('2026-01-31T12:00:00Z');
    assert.deepEqual(
      [timeText(now - 60_000, now), timeText(now - 86_400_000, now)],
      ['11:59:00', '2026-01-30 12:00:00'],
    );
    assert.deepEqual([timeText(null, now), timeText(1e20, now)], ['–', '–']);
  });

  test('names without their tier', () => assert.equal(shortName('silver.users'), 'users'));

  test('a line has gaps where nothing was known, and the newest on the right', () => {
    const { line, area } = sparkPaths([1, null, 2, 2], 30, 10, 4);
    assert.equal(line, 'M0,5L20,1.5L30,1.5'.replace('L20', 'M20'));
    assert.equal(area.match(/Z/g)?.length, 2);
    assert.deepEqual(sparkPaths([], 30, 10, 4), { line: '', area: '' });
    assert.doesNotMatch(sparkPaths([0, 0], 30, 10, 60).line, /NaN|Infinity/);
  });

  test('a chart keeps the largest series; the others become one', () => {
    const at = (hour: number): Date => new Date(hour * 3_600_000);
    const rows = Array.from({ length: 8 }, (_, i) => [
      { at: at(1), label: `c${i}`, value: String(i) },
      { at: at(2), label: `c${i}`, value: i },
    ]).flat();
    const chart = chartOf({ kind: 'series', title: 't', unit: '', sql: '' }, rows);
    assert.ok(chart.kind === 'series');
    assert.deepEqual(chart.times, [3_600_000, 7_200_000]);
    assert.deepEqual(
      chart.series.map(({ label, values }) => [label, ...values]),
      [
        ['c7', 7, 7],
        ['c6', 6, 6],
        ['c5', 5, 5],
        ['c4', 4, 4],
        ['c3', 3, 3],
        ['others', 3, 3],
      ],
    );
    const bars = chartOf({ kind: 'bars', title: 't', unit: '', sql: '' }, [{ label: null, value: '12.50' }]);
    assert.deepEqual(bars, { kind: 'bars', title: 't', unit: '', bars: [{ label: '(none)', value: 12.5 }] });
  });
});
