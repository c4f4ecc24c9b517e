/** The rules of segments by themselves: each at both sides of its edge, which of two holds, and what is remembered. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Engagement,
  remembered,
  seen,
  segmentOf,
  SEGMENTS,
  type Signals,
  signalsOf,
} from '../../processors/gold/segment-rules.ts';

/** Somebody who has been known for long and was here today. */
const REGULAR: Signals = {
  daysKnown: 50,
  daysSinceSeen: 0,
  activeDays7d: 1,
  orders30d: 0,
  orderDays90d: 0,
  revenue90d: 0n,
};
const VISIT = { orders: 0, revenue: 0n };
const ORDER = { orders: 1, revenue: 1_000n };

/** Sessions on days, each with what was bought. */
type Days = readonly (readonly [day: number, bought: typeof VISIT])[];
const known = (...days: Days): Engagement | undefined =>
  days.reduce<Engagement | undefined>((so, [day, bought]) => seen(so, day, bought), undefined);
const signals = (today: number, ...days: Days): Signals => {
  const engagement = known(...days);
  assert.ok(engagement);
  return signalsOf(engagement, today);
};

describe('segments', () => {
  const CASES: readonly [what: string, signals: Partial<Signals>, segment: string][] = [
    ['a visit in the first week', { daysKnown: 6 }, 'new'],
    ['a visit in the second one', { daysKnown: 7 }, 'active'],
    ['two days of a week', { daysKnown: 0, activeDays7d: 2 }, 'new'],
    ['three days of a week', { daysKnown: 2, activeDays7d: 3 }, 'engaged'],
    ['an order', { daysKnown: 0, activeDays7d: 7, orders30d: 1, orderDays90d: 1 }, 'buyer'],
    ['ten orders on two days', { orders30d: 10, orderDays90d: 2 }, 'buyer'],
    ['orders on three days', { orders30d: 3, orderDays90d: 3 }, 'loyal'],
    ['orders on three days, none of them in the last month', { orderDays90d: 3 }, 'loyal'],
    ['13 days away', { daysSinceSeen: 13, activeDays7d: 0 }, 'active'],
    ['14 days away', { daysSinceSeen: 14, activeDays7d: 0, orders30d: 9, orderDays90d: 9 }, 'at_risk'],
    ['29 days away', { daysSinceSeen: 29, activeDays7d: 0 }, 'at_risk'],
    ['30 days away', { daysSinceSeen: 30, activeDays7d: 0, orderDays90d: 9 }, 'dormant'],
  ];
  for (const [what, change, segment] of CASES) {
    test(`${what}: ${segment}`, () => {
      const judged = segmentOf({ ...REGULAR, ...change });
      assert.equal(judged.segment, segment);
      assert.match(judged.reason, /: \d+$/);
    });
  }

  test('each of them has a case', () => {
    assert.deepEqual([...new Set(CASES.map(([, , segment]) => segment))].toSorted(), SEGMENTS.toSorted());
  });
});

describe('what is remembered of a user', () => {
  test('sessions of one day are one day', () => {
    assert.deepEqual(known([5, VISIT], [5, ORDER], [5, ORDER], [6, VISIT])?.days, [
      { day: 5, orders: 2, revenue: 2_000n },
      { day: 6, orders: 0, revenue: 0n },
    ]);
  });

  test('each span holds the day that is judged', () => {
    const days = [[1, ORDER], [61, ORDER], [62, ORDER], [84, VISIT], [85, VISIT]] as const; // prettier-ignore
    const at90 = signals(90, ...days);
    assert.deepEqual(at90, {
      daysKnown: 89,
      daysSinceSeen: 5,
      activeDays7d: 2,
      orders30d: 2,
      orderDays90d: 3,
      revenue90d: 3_000n,
    });
    const { daysSinceSeen, activeDays7d, orders30d, orderDays90d, revenue90d } = signals(91, ...days);
    assert.deepEqual([daysSinceSeen, activeDays7d, orders30d, orderDays90d, revenue90d], [6, 1, 1, 2, 2_000n]);
  });

  test('is forgotten after 90 days, and so is the user with the last of it', () => {
    const user = known([1, ORDER], [10, VISIT]);
    assert.ok(user);
    assert.equal(remembered(user, 90), user);
    assert.deepEqual(remembered(user, 91)?.days, [{ day: 10, ...VISIT }]);
    assert.equal(remembered(user, 91)?.since, 1);
    assert.equal(remembered(user, 100), undefined);
  });
});
