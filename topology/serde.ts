/**
 * How keys and values become bytes. The engine knows no Avro: a topic names its schema, and the composition root hands in a `SerdeFactory`.
 */

/**
 * A named schema with the TypeScript type of its values. `name` is the file name in schemas/ without `.avsc`.
 * The type parameter exists for the compiler only.
 */
export interface Schema<T> {
  readonly name: string;
  readonly definition: unknown;
  /** Never present at run time: carries the type of the values. */
  readonly type?: T;
}

/**
 * Turns values into bytes and back, synchronously.
 * `deserialize` throws NotReadyError (wait for it, then again) when a writer schema has to be fetched first, and RecordError with
 * SLC_RECORD_DECODE for bytes that are not what they should be. `serialize` throws RecordError SLC_RECORD_ENCODE.
 */
export interface Serde<T> {
  serialize(value: T): Uint8Array;
  deserialize(bytes: Uint8Array): T;
  /** As `deserialize` of `buffer[from, to)`, without a view of it. */
  deserializeAt?(buffer: Buffer, from: number, to: number): T;
  /**
   * As `serialize`, into `buffer` from `at` on: returns where the value ends, or minus the number of bytes that `buffer` is too short (nothing that
   * counts has been written then).
   */
  serializeAt?(value: T, buffer: Buffer, at: number): number;
}

/** What `serde` reads in `buffer[from, to)`. */
export function readAt<T>(serde: Serde<T>, buffer: Buffer, from: number, to: number): T {
  return serde.deserializeAt === undefined
    ? serde.deserialize(buffer.subarray(from, to))
    : serde.deserializeAt(buffer, from, to);
}

/** How the key of a topic is written: UTF-8 text, or a schema (only topics of foreign systems: Debezium's key record). */
export type KeyFormat<K> = 'text' | Schema<K>;

/** Makes serdes for topics; `open` may register schemas, so it is asynchronous and called before any record flows. */
export interface SerdeFactory {
  /** `subject` is `<topic>-value` or `<topic>-key`; `write` says whether this process writes the topic (then the schema is registered). */
  open<T>(subject: string, schema: Schema<T>, use: { readonly write: boolean }): Promise<Serde<T>>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 text, the format of all keys but those of foreign topics. */
export const textSerde: Serde<string> = {
  serialize: (value) => encoder.encode(value),
  deserialize: (bytes) => decoder.decode(bytes),
  // Keys are ASCII nearly always, and TextDecoder costs several times the loop.
  deserializeAt: (buffer, from, to) =>
    isAscii(buffer, from, to) ? buffer.toString('latin1', from, to) : decoder.decode(buffer.subarray(from, to)),
};

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if ((bytes[i] as number) > 127) return false;
  return true;
}
