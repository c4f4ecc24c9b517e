import { isClockKey } from '../time/stream-clock.ts';
import { isWindowKey, keyFromId, keyText } from './key-codec.ts';
import type { StoreSpec } from './store.ts';
import { asBuffer } from './value-codec.ts';
import { parseWindowEntryKey } from './window-store.ts';

/**
 * The text of the key of the record that an entry of a store is about, from the entry's key in the changelog; of an entry of a window or a session the key without the
 * window. For stores of kind 'key-value', 'window' and 'session'; undefined for those of other kinds, and for what is no entry.
 */
export function changelogKeyOf(kind: StoreSpec['kind'], bytes: Uint8Array): string | undefined {
  if (isClockKey(bytes)) return undefined;
  if (kind === 'window') return keyText(parseWindowEntryKey(asBuffer(bytes)).key);
  if (kind !== 'key-value' && kind !== 'session') return undefined;
  const key = keyFromId(asBuffer(bytes).toString('utf8'));
  return keyText(isWindowKey(key) ? key.key : key);
}
