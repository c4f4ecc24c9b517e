/** Files by hyparquet-writer, compressed with zstd, and read back without loss to be merged. */
import { open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { parquetMetadataAsync, parquetRead, type SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { Column, ColumnType, DecimalType } from './columns.ts';
import type { ParquetFormat, RowGroup } from './format.ts';
import { zstdPage } from './zstd-page.ts';

/** Decimals of up to 9 digits in 4 bytes, 18 in 8, then as many as they need: what Iceberg asks for. */
function decimalElement({ precision, scale }: DecimalType): Omit<SchemaElement, 'name'> {
  const logical = {
    converted_type: 'DECIMAL',
    precision,
    scale,
    logical_type: { type: 'DECIMAL', precision, scale },
  } as const;
  if (precision <= 9) return { type: 'INT32', ...logical };
  if (precision <= 18) return { type: 'INT64', ...logical };
  let size = 9;
  while (2n ** BigInt(8 * size - 1) < 10n ** BigInt(precision)) size += 1;
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: size, ...logical };
}

const LEAVES: Readonly<Record<string, Omit<SchemaElement, 'name'>>> = {
  boolean: { type: 'BOOLEAN' },
  int: { type: 'INT32' },
  long: { type: 'INT64' },
  float: { type: 'FLOAT' },
  double: { type: 'DOUBLE' },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  bytes: { type: 'BYTE_ARRAY' },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
  uuid: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
};

function elementsOf(column: Column): SchemaElement[] {
  const { type } = column;
  const named = { name: column.name, repetition_type: column.nullable ? 'OPTIONAL' : 'REQUIRED' } as const;
  switch (type.kind) {
    case 'struct':
      return [{ ...named, num_children: type.fields.length }, ...type.fields.flatMap(elementsOf)];
    case 'list':
      return [
        { ...named, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elementsOf(type.element),
      ];
    case 'map':
      return [
        { ...named, num_children: 1, converted_type: 'MAP', logical_type: { type: 'MAP' } },
        { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
        ...elementsOf({ name: 'key', type: { kind: 'string' }, nullable: false }),
        ...elementsOf(type.value),
      ];
    case 'decimal':
      return [{ ...named, ...decimalElement(type) }];
    case 'fixed':
      return [{ ...named, type: 'FIXED_LEN_BYTE_ARRAY', type_length: type.size }];
    default:
      return [{ ...named, ...LEAVES[type.kind] }];
  }
}

/** Holds every type of columns.ts exactly. */
export const hyparquetFormat: ParquetFormat = {
  name: 'hyparquet-writer',
  check: () => undefined,
  unfit: () => undefined,
  build(columns, metadata) {
    const bytes = new ByteWriter();
    const writer = new ParquetWriter({
      writer: bytes,
      schema: [{ name: 'root', num_children: columns.length }, ...columns.flatMap(elementsOf)],
      codec: 'ZSTD',
      compressors: { ZSTD: zstdPage },
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      createdBy: 'sluice',
    });
    return {
      async add(group) {
        await writer.write({
          columnData: columns.map((column, index) => ({ name: column.name, data: [...(group.data[index] ?? [])] })),
          rowGroupSize: Math.max(1, group.rows),
        });
      },
      async finish() {
        await writer.finish();
        return bytes.getBytes();
      },
    };
  },
};

function decimalOf(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

/** Physical values as encode.ts makes them. The reader says undefined for null inside of records, and makes maps objects. */
function restore(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case 'decimal':
      if (value instanceof Uint8Array) return decimalOf(value);
      return typeof value === 'number' ? BigInt(value) : value;
    case 'struct':
      return Object.fromEntries(
        type.fields.map((field) => [field.name, restore(field.type, Reflect.get(value, field.name))]),
      );
    case 'list':
      return Array.from(value as Iterable<unknown>, (each) => restore(type.element.type, each));
    case 'map':
      return new Map(Object.entries(value).map(([key, each]) => [key, restore(type.value.type, each)]));
    case 'long':
      // From a file of an older schema, in which it was an int.
      return typeof value === 'number' ? BigInt(value) : value;
    default:
      return value;
  }
}

/** An element without what makes the reader convert: it would make decimals floats, and times milliseconds. Text and nesting stay. */
function physical(element: SchemaElement): SchemaElement {
  const { converted_type: converted, logical_type: _, ...rest } = element;
  const kept = converted === 'UTF8' || converted === 'LIST' || converted === 'MAP';
  return kept ? { ...rest, converted_type: converted } : rest;
}

/** What a file says of itself, by name. Reads its end only. */
export async function readMetadata(path: string): Promise<Map<string, string>> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { key_value_metadata: pairs = [] } = await parquetMetadataAsync({
      byteLength: size,
      async slice(start, end = size) {
        const bytes = new Uint8Array(end - start);
        await file.read(bytes, 0, bytes.length, start);
        return bytes.buffer;
      },
    });
    return new Map(pairs.map(({ key, value }) => [key, value ?? ''] as const));
  } finally {
    await file.close();
  }
}

/**
 * The rows of a file in parts of at most `size` rows, by `columns`: those that were written, or those of a later schema that goes with it
 * (compatible.ts). What the file lacks is null.
 */
export async function* readRowGroups(
  file: Uint8Array,
  columns: readonly Column[],
  size: number,
): AsyncGenerator<RowGroup> {
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
  const parsed = await parquetMetadataAsync(buffer);
  const metadata = { ...parsed, schema: parsed.schema.map(physical) };
  const total = Number(metadata.num_rows);
  for (let rowStart = 0; rowStart < total; rowStart += size) {
    const rowEnd = Math.min(total, rowStart + size);
    const data = columns.map((): unknown[] => []);
    await parquetRead({
      file: buffer,
      metadata,
      rowStart,
      rowEnd,
      utf8: false,
      compressors: { ZSTD: (input) => zstdDecompressSync(input) },
      rowFormat: 'object',
      onComplete: (rows: Record<string, unknown>[]) => {
        for (const row of rows) {
          for (const [index, column] of columns.entries()) data[index]?.push(restore(column.type, row[column.name]));
        }
      },
    });
    yield { rows: rowEnd - rowStart, data };
  }
}
