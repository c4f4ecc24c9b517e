/** Files by parquetjs-lite, for those who must have them from it. It loses some values without a word; those are refused here before it sees them. */
import { createRequire } from 'node:module';
import { ConfigError } from '#topology';
import type { Column } from './columns.ts';
import type { ParquetFormat } from './format.ts';
import { ROW_GROUP_ROWS } from './limits.ts';

/** What is used of the package, which has no types. It throws strings. */
interface Lite {
  readonly ParquetSchema: new (fields: Readonly<Record<string, LiteField>>) => object;
  readonly ParquetWriter: {
    openStream(schema: object, stream: LiteStream, options: object): Promise<LiteWriter>;
  };
}
interface LiteField {
  readonly type?: string;
  readonly fields?: Readonly<Record<string, LiteField>>;
  readonly optional: boolean;
  readonly compression?: string;
  readonly statistics?: false;
  readonly typeLength?: number;
}
interface LiteStream {
  write(bytes: Uint8Array, done: (error?: Error) => void): void;
  end(done: (error?: Error) => void): void;
}
interface LiteWriter {
  setMetadata(key: string, value: string): void;
  appendRow(row: object): Promise<void>;
  close(): Promise<void>;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const TYPES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INT32',
  long: 'INT64',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'UTF8',
  bytes: 'BYTE_ARRAY',
  fixed: 'FIXED_LEN_BYTE_ARRAY',
  timestamp: 'TIMESTAMP_MICROS',
  date: 'DATE',
  // It knows no uuid.
  uuid: 'UTF8',
};
const LOST: Readonly<Record<string, string>> = {
  decimal: 'it has no decimals',
  list: 'it makes a list that is null an empty one, and a record without value has such a list',
  map: 'it has no maps that other programs read',
};

function refuse(topic: string, column: Column, path: string): void {
  const { type } = column;
  if (type.kind === 'struct') {
    for (const field of type.fields) refuse(topic, field, `${path}.${field.name}`);
    return;
  }
  const reason = LOST[type.kind];
  if (reason === undefined) return;
  throw new ConfigError('SLC_CONFIG_PARQUET', `parquetjs-lite cannot hold ${path} of ${topic}: ${reason}`, {
    hint: 'choose hyparquet-writer, which holds it',
    where: topic,
  });
}

function fieldOf(column: Column): LiteField {
  const { type, nullable: optional } = column;
  if (type.kind === 'struct') return { optional, fields: fieldsOf(type.fields) };
  const plain = { type: TYPES[type.kind] ?? 'BYTE_ARRAY', optional, compression: 'SNAPPY', statistics: false } as const;
  return type.kind === 'fixed' ? { ...plain, typeLength: type.size } : plain;
}

function fieldsOf(columns: readonly Column[]): Record<string, LiteField> {
  return Object.fromEntries(columns.map((column) => [column.name, fieldOf(column)]));
}

function unfit(column: Column, value: unknown): string | undefined {
  if (typeof value === 'bigint' && (value > MAX_SAFE || value < -MAX_SAFE)) {
    return `parquetjs-lite changes integers beyond 2^53 (${value})`;
  }
  if (column.type.kind !== 'struct' || value === null) return undefined;
  for (const field of column.type.fields) {
    const reason = unfit(field, Reflect.get(value as object, field.name));
    if (reason !== undefined) return `${field.name}: ${reason}`;
  }
  return undefined;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Of values that were written by it and read back, too: uuids are text then. */
function valueOf(column: Column, value: unknown): unknown {
  if (value === null) return undefined;
  const { type } = column;
  if (type.kind === 'struct') {
    return Object.fromEntries(
      type.fields.map((field) => [field.name, valueOf(field, Reflect.get(value as object, field.name))]),
    );
  }
  if (type.kind === 'uuid' && value instanceof Uint8Array) return uuidText(value);
  return typeof value === 'bigint' ? Number(value) : value;
}

let loaded: Lite | undefined;

/** Refuses decimals, lists and maps by ConfigError, 64-bit integers beyond 2^53 record by record. */
export const liteFormat: ParquetFormat = {
  name: 'parquetjs-lite',
  check(topic, columns) {
    for (const column of columns) refuse(topic, column, column.name);
  },
  unfit,
  build(columns, metadata) {
    loaded ??= createRequire(import.meta.url)('parquetjs-lite') as Lite;
    const parts: Uint8Array[] = [];
    const stream: LiteStream = {
      write(bytes, done) {
        parts.push(bytes);
        done();
      },
      end: (done) => done(),
    };
    const schema = new loaded.ParquetSchema(fieldsOf(columns));
    // Rows per page, not bytes; a row group is one page per column then.
    const options = { rowGroupSize: ROW_GROUP_ROWS, pageSize: ROW_GROUP_ROWS };
    const opening = loaded.ParquetWriter.openStream(schema, stream, options).then((writer) => {
      for (const [key, value] of Object.entries(metadata)) writer.setMetadata(key, value);
      return writer;
    });
    return {
      async add({ rows, data }) {
        const writer = await opening;
        for (let row = 0; row < rows; row += 1) {
          await writer.appendRow(
            Object.fromEntries(
              columns.map((column, index) => [column.name, valueOf(column, data[index]?.[row] ?? null)]),
            ),
          );
        }
      },
      async finish() {
        await (await opening).close();
        return Buffer.concat(parts);
      },
    };
  },
};
