/** What was retried, against a plain set: any order of filters, limits and restarts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SluiceError } from '#topology';
import { random } from '#topology/testing';
import { RetryPosition } from '../../../dev/inspect/retry-position.ts';
import { randomOf } from '../../random.ts';

describe('the position of a retry', () => {
  test('says exactly what was retried, after any retries and restarts', () => {
    const next = random(randomOf('retry-position').seed);
    for (let run = 0; run < 300; run++) {
      const letters = Array.from({ length: 40 }, (_, i) => BigInt(i * 3 + next.int(0, 2)));
      const done = new Set<bigint>();
      let position = new RetryPosition(0n, null);
      for (let round = 0; round < 8; round++) {
        const from = letters.filter((offset) => offset >= position.offset);
        const order = from.slice(0, next.int(1, Math.max(2, from.length + 1)));
        const chosen = new Set(order.filter((offset) => next.chance(round / 8) && !position.isDone(offset)));
        for (const offset of chosen) done.add(offset);
        position.done(chosen, order);
        position = new RetryPosition(position.offset, position.metadata());
        for (const offset of letters) assert.equal(position.isDone(offset), done.has(offset), `letter ${offset}`);
      }
    }
  });

  test('letters side by side are one run, whatever lies between them', () => {
    const position = new RetryPosition(0n, '');
    position.done(new Set([7n, 9n, 40n]), [5n, 7n, 9n, 12n, 40n]);
    assert.deepEqual([position.offset, position.metadata()], [0n, '1:7-9,14']);
    position.done(new Set([5n]), [5n]);
    assert.deepEqual([position.offset, position.metadata()], [6n, '1:1-3,y']);
    position.done(new Set([12n]), [7n, 9n, 12n, 40n]);
    assert.deepEqual([position.offset, position.metadata()], [41n, '']);
  });

  test('what cannot be remembered, or read, is refused', () => {
    const position = new RetryPosition(0n, null);
    const order = Array.from({ length: 4_000 }, (_, i) => BigInt(i + 1));
    position.done(new Set(order.filter((offset) => offset % 2n === 0n)), order);
    const code = (code: string) => (error: unknown) => error instanceof SluiceError && error.code === code;
    assert.throws(() => position.metadata(), code('SLC_DLQ_GAPS'));
    assert.throws(() => new RetryPosition(0n, '{"w": 3}'), code('SLC_DLQ_POSITION'));
  });
});
