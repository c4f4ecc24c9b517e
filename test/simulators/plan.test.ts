/** Pace and event time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AFTER_END_MS,
  boundedPlan,
  dailyFactor,
  endOf,
  flashSaleEvents,
  flashSaleOf,
  livePlan,
  Pacer,
  type Plan,
  startOf,
  turnsFor,
} from '../../simulators/plan.ts';

const HOUR = 3_600_000;
const WALL = new Date(2026, 4, 17).getTime();

describe('bounded plan', () => {
  it('60 s are 60,000 events, 6,000 changes and 30 hours that end an hour ago', () => {
    const start = startOf(60, WALL);
    assert.equal(start, WALL - 31 * HOUR);
    assert.equal(endOf(60, start), WALL - HOUR);
    assert.ok(endOf(60, start) + AFTER_END_MS < WALL);
    assert.equal(turnsFor(60_000, 6_000), 66_000);
    const plan = boundedPlan(start, endOf(60, start), 66_000);
    assert.equal(plan.base(0), start);
    const ahead = plan.ahead(10);
    for (let i = 0; i < 10; i++) assert.ok(plan.base(0) < ahead);
    assert.equal(plan.base(0), ahead);
    assert.equal(plan.ahead(1_000_000), endOf(60, start));
  });

  it('goes three times as fast over the same time, when it is asked to', () => {
    const start = startOf(60, WALL);
    const end = endOf(60, start);
    const [usual, fast] = [boundedPlan(start, end, 66_000), boundedPlan(start, end, 198_000, undefined, 3)];
    assert.equal(fast.pace(WALL), 3 * usual.pace(WALL));
    assert.equal(fast.ahead(99_000), usual.ahead(33_000));
    assert.equal(fast.ahead(198_000), end);
  });

  it('takes the turns that the totals need', () => {
    assert.equal(turnsFor(100_000, 10_000), 110_000);
    assert.equal(turnsFor(0, 0), 0);
    assert.equal(turnsFor(0, 3), 33);
    assert.equal(turnsFor(1, 0), 2);
  });
});

describe('a flash sale', () => {
  const start = startOf(120, WALL);
  const end = endOf(120, start);
  const turns = turnsFor(120_000, 12_000);
  const sale = flashSaleOf(60, start, end);

  /** Turns in the sale, and all bases. */
  const walk = (plan: Plan, count: number): { inSale: number; bases: number[] } => {
    let inSale = 0;
    const bases = Array.from({ length: count }, () => {
      if (plan.isFlashSale()) inSale++;
      return plan.base(WALL);
    });
    return { inSale, bases };
  };

  it('has 500 events a second of event time, which never goes back, and ends when the run would end', () => {
    const plan = boundedPlan(start, end, turns, sale);
    const { inSale, bases } = walk(plan, turns);
    assert.equal(inSale, 33_000);
    assert.equal(flashSaleEvents(60), 30_000);
    const minute = bases.filter((base) => base >= (sale?.from ?? 0) && base < (sale?.end ?? 0));
    assert.equal(minute.length, 33_000);
    assert.ok(bases.every((base, i) => i === 0 || base >= (bases[i - 1] ?? 0)));
    assert.deepEqual([bases[0], plan.base(WALL), (sale?.end ?? 0) - (sale?.from ?? 0)], [start, end, 60_000]);
  });

  it('goes on where an earlier life was, and is none when it is over', () => {
    const middle = (sale?.from ?? 0) + 30_000;
    assert.equal(walk(boundedPlan(middle, end, 80_000, sale), 80_000).inSale, 16_500);
    assert.equal(walk(boundedPlan(middle + 30_000, end, 60_000, sale), 60_000).inSale, 0);
    assert.equal(flashSaleOf(0, start, end), undefined);
  });
});

describe('live plan', () => {
  it('has 10 events a second on average over the day, times the rate', () => {
    const plan = livePlan(3);
    let sum = 0;
    for (let minute = 0; minute < 24 * 60; minute++) sum += plan.pace(WALL + minute * 60_000);
    assert.ok(Math.abs(sum / (24 * 60) - 33) < 0.5);
    assert.ok(dailyFactor(WALL + 15 * HOUR) > 1.6 && dailyFactor(WALL + 3 * HOUR) < 0.4);
  });

  it('never goes back when the wall clock does', () => {
    const plan = livePlan(1);
    assert.equal(plan.base(WALL), WALL);
    assert.equal(plan.base(WALL - 5_000), WALL);
  });
});

describe('pacer', () => {
  it('makes what is due, and after a pause not more than a second of it', () => {
    const pacer = new Pacer(boundedPlan(0, 1, 1), WALL);
    let due = 0;
    for (let t = 20; t <= 10_000; t += 20) due += pacer.due(WALL + t);
    assert.ok(Math.abs(due - 11_000) <= 1);
    const burst = pacer.due(WALL + 60_000);
    assert.ok(burst <= 1_100);
    pacer.unused(burst);
    assert.ok(pacer.due(WALL + 60_000) >= burst - 1);
    assert.equal(pacer.due(WALL + 59_000), 0);
  });

  it('at a low pace makes one now and then', () => {
    const pacer = new Pacer(livePlan(0.01), WALL);
    let due = 0;
    for (let t = 100; t <= 600_000; t += 100) due += pacer.due(WALL + t);
    assert.ok(due > 10 && due < 60, String(due));
  });
});
