import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '#topology/testing';

describe('virtual time', () => {
  test('passes at once, in the order of the clock, and only while somebody waits', async () => {
    const clock = new VirtualClock(1_000);
    const seen: string[] = [];
    const note = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      seen.push(`${name}@${clock.now()}`);
    };
    const all = Promise.all([note('day', 86_400_000), note('second', 1_000), note('same', 1_000)]);
    assert.equal(clock.now(), 1_000);
    await clock.until(all, 100_000_000);
    assert.deepEqual(seen, ['second@2000', 'same@2000', 'day@86401000']);
    await clock.pass(5);
    assert.equal(clock.now(), 86_401_005);
  });

  test('a sleep that is aborted is over at once', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const slept = clock.sleep(1_000_000, abort.signal);
    abort.abort();
    await slept;
    await clock.sleep(1_000_000, abort.signal);
    assert.equal(clock.now(), 0);
  });

  test('who waits for what never comes is told', async () => {
    const clock = new VirtualClock();
    await assert.rejects(clock.until(new Promise(() => undefined)), { code: 'SLC_BUG_FAKE' });
    const often = (async () => {
      for (;;) await clock.sleep(1_000);
    })();
    await assert.rejects(clock.until(often, 10_000), { code: 'SLC_BUG_FAKE' });
  });
});
