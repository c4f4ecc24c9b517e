/**
 * Values that cross a repartition topic unchanged (keyBy, perhaps behind a filter) cross it as the bytes in which they were read: nothing is encoded,
 * the topic has half the bytes, and the reader decodes them as the source's reader does. R3-as-of takes a fifth less CPU so than with JSON.
 * All else there is JSON (state/value-codec.ts); the first byte tells: 0 begins Confluent's framing, and never JSON.
 */
import { isDeepStrictEqual } from 'node:util';
import { InvariantError, RecordError } from '../errors.ts';
import type { RecordCursor } from '../record-batch.ts';
import { readAt, type Serde } from '../serde.ts';
import { asBuffer, decodeValueAt, encodeValue } from '../state/value-codec.ts';

const FRAMED = 0;
/** So many of the first are compared with their bytes, and one of so many of the others. */
const CHECKED_FIRST = 100;
const CHECKED_EVERY = 1_024;

/** The serde of a repartition topic. `origins`: of the topics whose values may lie there as their bytes, in the order in which they are tried. */
export function repartitionSerde(origins: readonly Serde<unknown>[]): Serde<unknown> {
  const [origin] = origins;
  const framed = origins.length > 1 ? firstThatReads(origins) : origin;
  const deserializeAt = (buffer: Buffer, from: number, to: number): unknown =>
    framed === undefined || buffer[from] !== FRAMED
      ? decodeValueAt(buffer, from, to)
      : readAt(framed, buffer, from, to);
  return {
    serialize: encodeValue,
    deserialize: (bytes) => deserializeAt(asBuffer(bytes), 0, bytes.length),
    deserializeAt,
  };
}

/** Topics have several origins, and bytes of one, where an earlier version of the application had the one only. */
function firstThatReads(origins: readonly Serde<unknown>[]): Serde<unknown> {
  const deserializeAt = (buffer: Buffer, from: number, to: number): unknown => {
    let failure: unknown;
    for (const origin of origins) {
      try {
        return readAt(origin, buffer, from, to);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  };
  return {
    serialize: encodeValue,
    deserialize: (bytes) => deserializeAt(asBuffer(bytes), 0, bytes.length),
    deserializeAt,
  };
}

/**
 * Whether a node may send the bytes of the record in hand for its value, and that nobody has changed the value meanwhile: that would be lost. Compared
 * with what its bytes say are the first hundred, then one in a thousand; `all` in tests.
 */
export class PassedValues {
  readonly #serde: Serde<unknown>;
  readonly #all: boolean;
  #passed = 0;

  /** `serde`: reads the bytes that pass. */
  constructor(serde: Serde<unknown>, all: boolean) {
    this.#serde = serde;
    this.#all = all;
  }

  /** The record under the cursor was read as `value`. InvariantError SLC_STAGE_VALUE_CHANGED when it is no longer what was read. */
  mayPass(value: unknown, cursor: RecordCursor): boolean {
    if (cursor.valueLength <= 0 || cursor.buffer[cursor.valueAt] !== FRAMED) return false;
    const nth = this.#passed++;
    if (this.#all || nth < CHECKED_FIRST || nth % CHECKED_EVERY === 0) this.#check(value, cursor);
    return true;
  }

  #check(value: unknown, { buffer, valueAt, valueLength }: RecordCursor): void {
    if (isDeepStrictEqual(value, readAt(this.#serde, buffer, valueAt, valueAt + valueLength))) return;
    throw new InvariantError('SLC_STAGE_VALUE_CHANGED', 'a stage changed a value that it had been given, in place', {
      hint: 'return a new one, {...value, field: other}: others are given the same object, and a repartition topic takes its bytes',
    });
  }
}
