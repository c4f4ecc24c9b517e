/** Turns changes of one table, in one shape of that table, into the bytes of Kafka records (Confluent framing). */
import avsc, { type Type } from 'avsc';
import { RecordError } from '#topology';
import {
  type ChangeSource,
  envelopeSchema,
  keySchema,
  type Operation,
  rowValue,
  type WrittenColumn,
} from './envelope.ts';
import { dateTimeMillis } from './row-types.ts';
import type { Row } from './types.ts';

/** avsc's own long ends at 2^53; BIGINT does not. Numbers and bigints are written alike. */
const EXACT_LONG = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: number | bigint) => {
    const buffer = Buffer.allocUnsafe(8);
    buffer.writeBigInt64LE(BigInt(value));
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (left: bigint, right: bigint) => (left === right ? 0 : left < right ? -1 : 1),
});

/** Compiles a schema whose longs take bigints. */
export function compile(schema: object): Type {
  return avsc.Type.forSchema(schema as avsc.Schema, {
    omitRecordMethods: true,
    typeHook: (part) => {
      const type = typeof part === 'object' && part !== null && 'type' in part ? part.type : part;
      return type === 'long' ? EXACT_LONG : undefined;
    },
  });
}

/** A change, ready to be encoded. */
export interface Change {
  readonly before: Row | null;
  readonly after: Row | null;
  readonly source: ChangeSource;
  readonly op: Operation;
  /** When the connector handled it, ms. */
  readonly handledAt: number;
}

/** A column that must not be null by the schema is: the schema has to be widened first. */
export class NullInRequiredColumn extends Error {
  override name = 'NullInRequiredColumn';
  readonly column: string;
  constructor(column: string) {
    super(`column ${column} is null`);
    this.column = column;
  }
}

let scratch = Buffer.allocUnsafe(64 * 1024);

function framed(type: Type, id: number, value: unknown): Buffer {
  let end = type.encode(value, scratch, 5);
  if (end < 0) {
    scratch = Buffer.allocUnsafe((scratch.length - end) * 2);
    end = type.encode(value, scratch, 5);
  }
  scratch[0] = 0;
  scratch.writeUInt32BE(id, 1);
  return Buffer.from(scratch.subarray(0, end));
}

/** The schemas of a table's shape and their ids in the registry. */
export interface CodecOptions {
  readonly topic: string;
  readonly columns: readonly WrittenColumn[];
  readonly primaryKey: readonly string[];
}

export class TableCodec {
  readonly topic: string;
  readonly columns: readonly WrittenColumn[];
  readonly valueSchema: object;
  readonly keySchema: object;
  readonly #keyColumns: readonly WrittenColumn[];
  readonly #valueType: Type;
  readonly #keyType: Type;
  #valueId = -1;
  #keyId = -1;

  constructor({ topic, columns, primaryKey }: CodecOptions) {
    this.topic = topic;
    this.columns = columns;
    this.#keyColumns = primaryKey.map((name) => {
      const column = columns.find((candidate) => candidate.name === name);
      if (column === undefined)
        throw new RecordError('SLC_RECORD_ENCODE', `${topic}: no key column ${name} in the row`);
      return { ...column, nullable: false };
    });
    this.valueSchema = envelopeSchema(topic, columns);
    this.keySchema = keySchema(topic, this.#keyColumns);
    this.#valueType = compile(this.valueSchema);
    this.#keyType = compile(this.keySchema);
  }

  /** Sets what the registry answered; before that nothing can be encoded. */
  registered(keyId: number, valueId: number): void {
    this.#keyId = keyId;
    this.#valueId = valueId;
  }

  /** The key record of a row. Throws RecordError SLC_RECORD_ENCODE. */
  key(row: Row): Buffer {
    return this.#encode('key', () => {
      const value = rowValue(this.#keyColumns, row, missing);
      return framed(this.#keyType, this.#keyId, value);
    });
  }

  /** The envelope. Throws RecordError SLC_RECORD_ENCODE, NullInRequiredColumn. */
  value(change: Change): Buffer {
    return this.#encode('value', () =>
      framed(this.#valueType, this.#valueId, {
        before: change.before === null ? null : rowValue(this.columns, change.before, missing),
        after: change.after === null ? null : rowValue(this.columns, change.after, missing),
        source: change.source,
        op: change.op,
        ts_ms: change.handledAt,
        transaction: null,
      }),
    );
  }

  #encode(what: string, encode: () => Buffer): Buffer {
    try {
      return encode();
    } catch (cause) {
      if (cause instanceof NullInRequiredColumn || cause instanceof RecordError) throw cause;
      throw new RecordError('SLC_RECORD_ENCODE', `${this.topic}: a ${what} cannot be encoded: ${String(cause)}`, {
        cause,
      });
    }
  }
}

function missing(column: string): never {
  throw new NullInRequiredColumn(column);
}

/** A DATETIME or TIMESTAMP column of a row as ms since the epoch; null when there is none. */
export function timeOf(row: Row, column: string): number | null {
  const value = row[column];
  return typeof value === 'string' && /^\d{4}-/.test(value) ? dateTimeMillis(value) : null;
}
