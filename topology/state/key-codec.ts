/**
 * Keys behind keyBy: text, or a number, bigint or boolean. As bytes they are UTF-8 text, so that equal keys of any kind land in the partition
 * of a topic keyed by the same text; a kind other than text is told by one byte beside it (a header in topics).
 */
import { RecordError } from '../errors.ts';
import type { WindowKey } from '../record.ts';
import { utf8 } from '../utf8.ts';

/** What may be the key of a keyed operator. */
export type Key = string | number | bigint | boolean;

/** The kind of a key that is no text. */
export type KeyKind = 'n' | 'i' | 'b';

/** The key's text. RecordError SLC_RECORD_KEY for anything that is no key. */
export function keyText(key: unknown): string {
  switch (typeof key) {
    case 'string':
      return key;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(key);
    default:
      throw new RecordError(
        'SLC_RECORD_KEY',
        `${key === null ? 'null' : `a value of type ${typeof key}`} cannot be a key`,
        {
          hint: 'let keyBy() give text, a number, a bigint or a boolean; join several fields with a separator',
        },
      );
  }
}

/** The key's UTF-8 text. */
export function keyBytes(key: unknown): Uint8Array {
  return utf8(keyText(key));
}

/** undefined for text. */
export function keyKind(key: unknown): KeyKind | undefined {
  return typeof key === 'number' ? 'n' : typeof key === 'bigint' ? 'i' : typeof key === 'boolean' ? 'b' : undefined;
}

/** The key from its text and kind. */
export function keyFromText(text: string, kind: string | undefined): Key {
  switch (kind) {
    case 'n':
      return Number(text);
    case 'i':
      return BigInt(text);
    case 'b':
      return text === 'true';
    default:
      return text;
  }
}

/** True for what a windowed aggregation gives its rows as keys. */
export function isWindowKey(key: unknown): key is WindowKey<unknown> {
  return typeof key === 'object' && key !== null && 'key' in key && 'start' in key && 'end' in key;
}

/** A key of any kind, or a window key, as one text: 't', 'n', 'i' or 'b' and the key's text; before it `w<start>|<end>|` for a window. */
export function keyId(key: unknown): string {
  if (isWindowKey(key)) return `w${key.start}|${key.end}|${keyId(key.key)}`;
  return (keyKind(key) ?? 't') + keyText(key);
}

/** The key of such a text. */
export function keyFromId(id: string): unknown {
  if (id[0] !== 'w') return keyFromText(id.slice(1), id[0] === 't' ? undefined : id[0]);
  const first = id.indexOf('|');
  const second = id.indexOf('|', first + 1);
  return {
    key: keyFromId(id.slice(second + 1)),
    start: Number(id.slice(1, first)),
    end: Number(id.slice(first + 1, second)),
  };
}
