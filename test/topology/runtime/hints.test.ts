import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeHint, type Hint, HintView, parseHint } from '#topology';

const IDLE = 1_000;
const hint = (writer: string, m: number, endOffset: bigint, at = 0): Hint => {
  return { writer, topic: 't', partition: 0, m, endOffset, at };
};
const view = (...hints: Hint[]): HintView => {
  const all = new HintView();
  for (const each of hints) all.receive(each);
  return all;
};

test('a hint counts once all that its writer wrote has been read', () => {
  const hints = view(hint('a', 50, 7n));
  assert.equal(hints.reached('t', 0, 6n, 0, IDLE), undefined);
  assert.equal(hints.reached('t', 0, 7n, 0, IDLE), 50);
  assert.equal(hints.reached('t', 1, 7n, 0, IDLE), undefined);
});

test('of several writers the least counts; one that is silent is left out, the only one never', () => {
  const two = view(hint('a', 50, 0n, 0), hint('b', 70, 0n, 900));
  assert.equal(two.reached('t', 0, 0n, 1_000, IDLE), 50);
  assert.equal(two.reached('t', 0, 0n, 1_001, IDLE), 70);
  assert.equal(view(hint('a', 50, 0n)).reached('t', 0, 0n, 1e9, IDLE), 50);
});

test('a newer hint of a writer replaces the older', () => {
  const hints = view(hint('a', 50, 1n), hint('a', 60, 3n));
  assert.equal(hints.reached('t', 0, 2n, 0, IDLE), undefined);
  assert.equal(hints.reached('t', 0, 3n, 0, IDLE), 60);
});

test('hints survive being written; what is no hint says nothing', () => {
  const sent = hint('a', 50, 2n ** 60n, 3);
  assert.deepEqual(parseHint(Buffer.from(encodeHint(sent).value)), sent);
  for (const text of [
    '',
    '{}',
    'null',
    '[]',
    '{"writer":"a"}',
    '{"writer":"a","topic":"t","partition":0,"m":1,"at":1,"endOffset":"x"}',
  ]) {
    assert.equal(parseHint(Buffer.from(text)), undefined, text);
  }
  assert.equal(parseHint(null), undefined);
});
