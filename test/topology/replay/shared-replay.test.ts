/** When a replay in several processes is done: not before all were settled, and each looked again with nothing committed since. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ReplayShare, SharedReplay } from '#topology';

const TOTAL = 10;
const SLOTS = 3;
const share = (of: Partial<ReplayShare>): ReplayShare => ({
  slots: [],
  done: 0,
  processed: 0,
  eventTime: null,
  settledAt: 7,
  ...of,
});
const A = share({ slots: [0, 2], done: 6, settledAt: 7 });
const B = share({ slots: [1], done: 4, settledAt: 3 });
const of = (): SharedReplay => new SharedReplay(TOTAL, SLOTS);

describe('a replay in several processes', () => {
  test('is done when each has said twice, after all were settled, that nothing has changed', () => {
    const heard = of();
    // The first of each only says that they are settled.
    assert.deepEqual([heard.hear(1, A), heard.hear(1, A), heard.hear(2, B)], [false, false, false]);
    assert.deepEqual(
      [heard.hear(1, A), heard.hear(2, B), heard.hear(1, A), heard.hear(2, B)],
      [false, false, false, true],
    );
  });

  test('one that commits, or has something to do, begins it anew', () => {
    for (const change of [share({ ...A, settledAt: 8 }), share({ ...A, settledAt: null })]) {
      const heard = of();
      for (const [worker, each] of [
        [1, A],
        [2, B],
        [1, A],
        [2, B],
      ] as const)
        assert.equal(heard.hear(worker, each), false);
      heard.hear(1, change);
      assert.equal(heard.hear(2, B), false);
      assert.equal(heard.hear(1, A), false);
      assert.deepEqual([heard.hear(2, B), heard.hear(1, A), heard.hear(2, B)], [false, false, false]);
      assert.equal(heard.hear(1, A), true);
    }
  });

  test("not while a slot is nobody's, or two workers', or offsets are left", () => {
    for (const other of [
      share({ slots: [], done: 4 }),
      share({ slots: [2], done: 4 }),
      share({ slots: [1], done: 3 }),
    ]) {
      const heard = of();
      for (let i = 0; i < 5; i++) assert.deepEqual([heard.hear(1, A), heard.hear(2, other)], [false, false]);
    }
  });

  test('a worker that has ended is not waited for, and what it told does not count', () => {
    const heard = of();
    for (let i = 0; i < 2; i++) heard.hear(1, A);
    heard.forget(1);
    assert.deepEqual(heard.progress().slots, { here: 0, all: SLOTS });
    const all = share({ slots: [0, 1, 2], done: TOTAL });
    assert.deepEqual([heard.hear(2, all), heard.hear(2, all), heard.hear(2, all)], [false, false, true]);
  });

  test('progress is that of all together', () => {
    const heard = of();
    assert.equal(heard.progress().eventTime, -Infinity);
    heard.hear(1, share({ ...A, eventTime: 500, processed: 11 }));
    heard.hear(2, share({ ...B, eventTime: 300, processed: 5 }));
    assert.deepEqual(heard.progress(), {
      done: TOTAL,
      total: TOTAL,
      eventTime: 300,
      processed: 16,
      slots: { here: SLOTS, all: SLOTS },
    });
  });
});
