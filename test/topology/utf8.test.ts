/** UTF-8 as TextEncoder makes it, short and long, ASCII and not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../topology/utf8.ts';

test('the bytes are those of TextEncoder', () => {
  const encoder = new TextEncoder();
  const texts = [
    '',
    'a',
    'item-00042|web',
    'x'.repeat(64),
    'x'.repeat(65),
    'ünïcödé',
    'a'.repeat(63) + '€',
    '👩‍💻',
    'half \ud83d',
    '\u0000\u007f\u0080',
  ];
  for (const text of texts) assert.deepEqual(new Uint8Array(utf8(text)), encoder.encode(text), JSON.stringify(text));
});
