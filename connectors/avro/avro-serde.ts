import { InvariantError, RecordError, type Serde } from '#topology';
import { LogicalTypeError } from './logical-types.ts';
import type { ReaderType, Resolver } from './reader-type.ts';
import type { WriterSchemas } from './writer-schemas.ts';

/** Magic byte 0 and the schema's id, 4 bytes big-endian: Confluent's framing. */
const HEADER_BYTES = 5;

/** How many writers' schemas a serde keeps resolvers for; a subject with more versions in use is read more slowly, not wrongly. */
const MAX_RESOLVERS = 1_000;

/** What `AvroSerde` is made of. */
export interface AvroSerdeOptions {
  /** For messages. */
  readonly subject: string;
  readonly reader: ReaderType;
  readonly writers: WriterSchemas;
  /** The id of the reader's schema in the registry; undefined = this process does not write. */
  readonly id: number | undefined;
  /** Larger values are refused, framing included. */
  readonly maxBytes: number;
}

/** Where values are encoded before they are copied out: one for all serdes, since encoding never waits. */
let scratch = Buffer.allocUnsafe(16 * 1024);

/** Values in Avro with Confluent's framing; see `Serde` for what it throws. */
export class AvroSerde<T> implements Serde<T> {
  readonly #subject: string;
  readonly #reader: ReaderType;
  readonly #writers: WriterSchemas;
  readonly #id: number | undefined;
  readonly #maxBytes: number;
  readonly #resolvers = new Map<number, Resolver | undefined>();
  #lastId = -1;
  #lastResolver: Resolver | undefined;

  constructor(options: AvroSerdeOptions) {
    this.#subject = options.subject;
    this.#reader = options.reader;
    this.#writers = options.writers;
    this.#id = options.id;
    this.#maxBytes = options.maxBytes;
    if (options.id !== undefined) this.#resolvers.set(options.id, undefined);
  }

  serialize(value: T): Uint8Array {
    let end = this.serializeAt(value, scratch, 0);
    while (end < 0) {
      scratch = Buffer.allocUnsafe(
        Math.min((scratch.length - end) * 2, Math.max(this.#maxBytes, scratch.length - end)),
      );
      end = this.serializeAt(value, scratch, 0);
    }
    const bytes = Buffer.allocUnsafe(end);
    scratch.copy(bytes, 0, 0, end);
    return bytes;
  }

  serializeAt(value: T, buffer: Buffer, at: number): number {
    if (this.#id === undefined) {
      throw new InvariantError('SLC_BUG_SERDE_READ_ONLY', `${this.#subject} was opened for reading`);
    }
    let end: number;
    try {
      end = this.#reader.type.encode(value, buffer, at + HEADER_BYTES);
    } catch (cause) {
      throw this.#encodeError(value, cause);
    }
    const size = (end < 0 ? buffer.length - end : end) - at;
    if (size > this.#maxBytes) {
      throw new RecordError(
        'SLC_RECORD_TOO_LARGE',
        `${this.#subject}: a value of ${size} bytes; ${this.#maxBytes} is the most`,
      );
    }
    if (end < 0) return end;
    buffer[at] = 0;
    buffer.writeUInt32BE(this.#id, at + 1);
    return end;
  }

  deserialize(bytes: Uint8Array): T {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.deserializeAt(buffer, 0, buffer.length);
  }

  deserializeAt(buffer: Buffer, from: number, to: number): T {
    if (to - from < HEADER_BYTES || buffer[from] !== 0) {
      throw this.#decodeError(`${to - from} bytes that do not start with a 0 byte and a schema id`);
    }
    const id = buffer.readUInt32BE(from + 1);
    if (id !== this.#lastId) {
      this.#lastResolver = this.#resolverOf(id);
      this.#lastId = id;
    }
    let result: { value: unknown; offset: number };
    try {
      result = this.#reader.type.decode(buffer, from + HEADER_BYTES, this.#lastResolver);
    } catch (cause) {
      throw this.#decodeError(`not a value of schema ${id}`, cause);
    }
    if (result.offset !== to) {
      // What lies behind `to` belongs to others.
      const isCut = result.offset < 0 || result.offset > to;
      const problem = isCut ? 'the value is cut off' : `${to - result.offset} bytes too many`;
      throw this.#decodeError(`schema ${id}: ${problem}`);
    }
    return result.value as T;
  }

  #resolverOf(id: number): Resolver | undefined {
    const known = this.#resolvers.get(id);
    if (known !== undefined || this.#resolvers.has(id)) return known;
    const resolver = this.#reader.resolve(this.#writers.get(id));
    if (this.#resolvers.size >= MAX_RESOLVERS) this.#resolvers.clear();
    this.#resolvers.set(id, resolver);
    return resolver;
  }

  #decodeError(problem: string, cause?: unknown): RecordError {
    return new RecordError('SLC_RECORD_DECODE', `${this.#subject}: ${problem}`, { cause });
  }

  /** Names the place, never the value. */
  #encodeError(value: T, cause: unknown): RecordError {
    let where = '';
    try {
      this.#reader.type.isValid(value, {
        errorHook: (path, _value, type) => {
          if (where === '') where = `${path.join('.') || 'the value'} is no ${type.typeName.replace('logical:', '')}`;
        },
      });
    } catch {
      // A getter that throws: the cause says so.
    }
    const detail = cause instanceof LogicalTypeError ? ` (${cause.message})` : '';
    return new RecordError(
      'SLC_RECORD_ENCODE',
      `${this.#subject}: ${where || 'the value cannot be encoded'}${detail}`,
      {
        cause,
      },
    );
  }
}
