/**
 * How values inside the engine become bytes (changelogs, repartition topics, late records): JSON, readable in any topic viewer, with two
 * additions for what JSON lacks: {"$bigint":"123"} and {"$number":"-Infinity"}. An object of the user's with such a key is refused, and so is what
 * would not come back as it was: Map, Set, Date, Buffer and other typed arrays.
 */
import { RecordError } from '../errors.ts';
import { utf8 } from '../utf8.ts';
import { BY_MEMBER, withAdditions, withoutAdditions } from './json-additions.ts';

/** An object of the codec's own. */
class Addition {
  declare readonly $bigint?: string;
  declare readonly $number?: string;

  constructor(fields: { readonly $bigint: string } | { readonly $number: string }) {
    Object.assign(this, fields);
  }
}

/** What JSON would lose without a word: it would come back from a restart as something else. */
function isLossy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return value instanceof Map || value instanceof Set || value instanceof Date || ArrayBuffer.isView(value);
}

function replace(this: unknown, key: string, value: unknown): unknown {
  // Dates and Buffers come here as what their toJSON made of them.
  const held = (this as Record<string, unknown>)[key];
  if (isLossy(held)) {
    const type = (held as object).constructor.name;
    throw new RecordError('SLC_RECORD_ENCODE', `a ${type} cannot be kept in a store or a repartition topic`, {
      hint: 'use plain objects, arrays, text, numbers and bigints: a time in ms, bytes as base64, a Set as an array',
    });
  }
  if (typeof value === 'bigint') return new Addition({ $bigint: String(value) });
  if (typeof value === 'number' && !Number.isFinite(value)) return new Addition({ $number: String(value) });
  // The replacer sees the members of the objects that it made itself, too.
  if ((key === '$bigint' || key === '$number') && !(this instanceof Addition)) {
    throw new RecordError('SLC_RECORD_ENCODE', `a value has a field ${key}, which Sluice uses for itself`);
  }
  return value;
}

/** A value as JSON text. Throws RecordError SLC_RECORD_ENCODE for what cannot be written (functions, cycles). */
export function valueToText(value: unknown): string {
  // Counts and sums: without a call into JSON.
  if (typeof value === 'number' && Number.isFinite(value)) return numberText(value);
  if (typeof value === 'string') return JSON.stringify(value);
  const plain = withAdditions(value);
  const text = (plain === BY_MEMBER ? JSON.stringify(value, replace) : JSON.stringify(plain)) as string | undefined;
  if (text === undefined)
    throw new RecordError('SLC_RECORD_ENCODE', `a value of type ${typeof value} cannot be stored`);
  return text;
}

/** A finite number as JSON has it. */
export function numberText(value: number): string {
  return value === 0 ? '0' : String(value);
}

const ZERO = 48;
const NINE = 57;

/** A value as UTF-8 JSON bytes. */
export function encodeValue(value: unknown): Uint8Array {
  return utf8(valueToText(value));
}

/** The value of such bytes. */
export function decodeValue(bytes: Buffer): unknown {
  return decodeValueAt(bytes, 0, bytes.length);
}

/** The value of buffer[from, to). */
export function decodeValueAt(buffer: Buffer, from: number, to: number): unknown {
  // Counts, and ones to be counted.
  const byte = buffer[from] as number;
  if (to - from === 1 && byte >= ZERO && byte <= NINE) return byte - ZERO;
  const text = buffer.toString('utf8', from, to);
  const value: unknown = JSON.parse(text);
  return text.includes('"$') ? withoutAdditions(value) : value;
}

/** A buffer over the same memory: no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
