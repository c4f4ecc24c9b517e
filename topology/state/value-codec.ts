/**
 * How values inside the engine become bytes (changelogs, repartition topics, late records): JSON, readable in any topic viewer, with two
 * additions for what JSON lacks: {"$bigint":"123"} and {"$number":"-Infinity"}. An object of the user's with such a key is refused.
 */
import { RecordError } from '../errors.ts';

const encoder = new TextEncoder();

function replace(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (key === '$bigint' || key === '$number') {
    // The replacer sees the members of the objects that it made itself, too: those hold text only.
    if (typeof value !== 'string') {
      throw new RecordError('SLC_RECORD_ENCODE', `a value has a field ${key}, which Sluice uses for itself`);
    }
  }
  return value;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$bigint' in value) return BigInt(value.$bigint as string);
  if ('$number' in value) return Number(value.$number);
  return value;
}

/** A value as JSON text. Throws RecordError SLC_RECORD_ENCODE for what cannot be written (functions, cycles). */
export function valueToText(value: unknown): string {
  const text = JSON.stringify(value, replace) as string | undefined;
  if (text === undefined)
    throw new RecordError('SLC_RECORD_ENCODE', `a value of type ${typeof value} cannot be stored`);
  return text;
}

/** A value as UTF-8 JSON bytes. */
export function encodeValue(value: unknown): Uint8Array {
  return encoder.encode(valueToText(value));
}

/** The value of such bytes. */
export function decodeValue(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  // A reviver makes parsing several times dearer, and most values need none.
  return text.includes('"$') ? (JSON.parse(text, revive) as unknown) : (JSON.parse(text) as unknown);
}

/** A buffer over the same memory: no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
