import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SimulatorError } from '../../simulators/failure.ts';
import { historyPlan, historyTotals, weeklyFactor } from '../../simulators/history.ts';
import { nextLife } from '../../simulators/next-life.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const END = new Date(2026, 4, 17, 13, 20).getTime();
const log = { info: () => undefined, warn: () => undefined };

describe('a history', () => {
  test('30 days are 300,000 events and 30,000 changes; a week has its mean', () => {
    assert.deepEqual(historyTotals(30 * DAY), { events: 300_000, changes: 30_000 });
    let sum = 0;
    for (let hour = 0; hour < 7 * 24; hour++) sum += weeklyFactor(END + hour * HOUR);
    assert.ok(Math.abs(sum / (7 * 24) - 1) < 0.01, String(sum));
  });

  test('runs from its first to its last moment without going back, dense where the shop is busy, then live', () => {
    const from = END - 7 * DAY;
    const totals = historyTotals(7 * DAY);
    const turns = totals.events + totals.changes;
    const plan = historyPlan(from, END, totals, 1);
    const perHour = new Map<number, number>();
    let last = plan.base(END);
    assert.equal(last, from);
    for (let turn = 1; turn < turns; turn++) {
      if (turn % 1_000 === 0) assert.ok(plan.ahead(100) >= last + 1);
      assert.ok(plan.pace(END) > 1_000);
      const at = plan.base(END + turn);
      assert.ok(at >= last && at < END, `${turn}: ${at}`);
      perHour.set(Math.floor(at / HOUR), (perHour.get(Math.floor(at / HOUR)) ?? 0) + 1);
      last = at;
    }
    assert.ok(END - last < 60_000, 'it ends at its end');
    const by = (days: readonly number[], hours: readonly number[]): number => {
      const found = [...perHour].filter(([hour]) => {
        const time = new Date(hour * HOUR);
        return days.includes(time.getDay()) && hours.includes(time.getHours());
      });
      return found.reduce((sum, [, count]) => sum + count, 0) / found.length;
    };
    assert.ok(by([0], [15]) > 1.3 * by([2], [15]), 'Sunday and Tuesday');
    assert.ok(by([3], [15]) > 3 * by([3], [3]), 'day and night');
    // Live from here on.
    assert.ok(plan.pace(END) < 50);
    assert.equal(plan.base(END + 60_000), END + 60_000);
    assert.equal(plan.base(END), END + 60_000);
    assert.equal(plan.ahead(10), END + 60_000);
  });

  test('that has nothing left is live at once', () => {
    const plan = historyPlan(END, END, { events: 0, changes: 0 }, 1);
    assert.equal(plan.base(END + 5), END + 5);
    assert.ok(plan.pace(END) < 50);
  });

  test('goes on after a stop, and is refused on other data', () => {
    const first = nextLife(undefined, { seconds: undefined, history: DAY, start: undefined, log }, END);
    assert.equal(first.start, END - DAY);
    const stopped = { ...first, base: END - HOUR, events: 9_000, changes: 900 };
    const second = nextLife(stopped, { seconds: undefined, history: DAY, start: undefined, log }, END + HOUR);
    assert.deepEqual(second, { ...stopped, life: 1 });
    for (const last of [{ ...stopped, history: 2 * DAY }, withoutHistory(stopped)]) {
      assert.throws(
        () => nextLife(last, { seconds: undefined, history: DAY, start: undefined, log }, END),
        (error) => error instanceof SimulatorError && error.code === 'SLC_CONFIG_SIMULATOR_HISTORY',
      );
    }
  });
});

function withoutHistory<T extends { readonly history?: number }>(state: T): Omit<T, 'history'> {
  const { history: _, ...rest } = state;
  return rest;
}
