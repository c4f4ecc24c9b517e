/** Whether files of an older schema and those of the present one are one table: readers unite their columns by name, so a name has one type. */
import { join } from 'node:path';
import { ConnectorError } from '#topology';
import { type Column, columnsOf, type ColumnType } from './columns.ts';
import type { LakeFile } from './commit-log.ts';
import { readMetadata } from './hyparquet.ts';
import type { LakeTable } from './table.ts';

/** Types that hold every value of another: what Avro promotes and no reader rounds. A long is no double beyond 2^53. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'double'],
  float: ['double'],
};

/** Refuses columns that changed so that old files and new ones cannot be read together: ConnectorError SLC_PARQUET_SCHEMA names the first. */
export function checkCompatible(topic: string, before: readonly Column[], now: readonly Column[]): void {
  const reason = difference(before, now, '');
  if (reason === undefined) return;
  throw new ConnectorError(
    'SLC_PARQUET_SCHEMA',
    `the lake has files of ${topic} that the new schema does not go with: ${reason}`,
    {
      hint: "give the changed field another name, or move the topic's folder out of the lake: the topic is then written again from the start",
      where: topic,
    },
  );
}

/** The first column of both that is of another type; a field that came or went is no difference. */
function difference(before: readonly Column[], now: readonly Column[], path: string): string | undefined {
  const present = new Map(now.map((column) => [column.name, column] as const));
  for (const old of before) {
    const column = present.get(old.name);
    const reason = column === undefined ? undefined : typeDifference(old.type, column.type, `${path}${old.name}`);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function typeDifference(before: ColumnType, now: ColumnType, path: string): string | undefined {
  if (before.kind === 'struct' && now.kind === 'struct') return difference(before.fields, now.fields, `${path}.`);
  if (before.kind === 'list' && now.kind === 'list')
    return typeDifference(before.element.type, now.element.type, `${path}[]`);
  if (before.kind === 'map' && now.kind === 'map')
    return typeDifference(before.value.type, now.value.type, `${path}{}`);
  const same =
    before.kind === 'decimal' && now.kind === 'decimal'
      ? before.scale === now.scale && before.precision <= now.precision
      : before.kind === 'fixed' && now.kind === 'fixed'
        ? before.size === now.size
        : before.kind === now.kind || WIDER[before.kind]?.includes(now.kind) === true;
  return same ? undefined : `${path} was ${nameOf(before)} and is ${nameOf(now)}`;
}

function nameOf(type: ColumnType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`;
  if (type.kind === 'fixed') return `${type.size} bytes`;
  return { struct: 'a record', list: 'a list', map: 'a map' }[type.kind as string] ?? type.kind;
}

/** Schemas that a table's files were found to go with, by their short names: a file of each is read once per process. */
const checked = new WeakMap<LakeTable, Set<string>>();

/** Refuses a table whose committed files cannot be read together with those that it will write. Errors of the file system as they are. */
export async function checkFiles(table: LakeTable, files: Iterable<LakeFile>): Promise<void> {
  let known = checked.get(table);
  if (known === undefined) checked.set(table, (known = new Set([table.schema])));
  for (const { schema, path } of files) {
    if (known.has(schema)) continue;
    const metadata = await readMetadata(join(table.folder, path));
    const value = metadata.get('avro.schema');
    if (value !== undefined) {
      const key = metadata.get('avro.key');
      const before = columnsOf(table.topic, JSON.parse(value), key === undefined ? 'text' : JSON.parse(key));
      checkCompatible(
        table.topic,
        before.filter(({ name }) => name !== '_key' || key !== undefined),
        table.columns,
      );
    }
    known.add(schema);
  }
}
