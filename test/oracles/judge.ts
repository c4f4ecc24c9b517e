/** Oracles over a dump against rows that are held to be right, table by table. */
import { schemas } from '#schemas';
import { type Comparison, compareCount, compareRows } from '../../dev/verify/compare.ts';
import { type BronzeDump, type Edit, OracleDatabase, readOracle } from '../../dev/verify/oracle-database.ts';
import { columnsOf, type Definitions, textOf, VERIFIED_TABLES, type VerifiedTable } from '../../dev/verify/tables.ts';
import type { Expected } from './reference.ts';

const definitions = Object.fromEntries(
  Object.values(schemas).map((schema) => [schema.name, schema.definition]),
) as unknown as Definitions;

/** What every table and its late records compare to. */
export async function verify(dump: BronzeDump, expected: Expected): Promise<Map<string, Comparison>> {
  const results = new Map<string, Comparison>();
  await each(
    dump,
    expected,
    VERIFIED_TABLES,
    (sql) => sql,
    (result) => {
      results.set(result.name, result);
      return true;
    },
  );
  return results;
}

/** The first comparison that is `wrong`, beginning with a table and those that its oracle reads, so that few have to run; with `alone` no others do. */
export async function firstWrong(
  dump: BronzeDump,
  expected: Expected,
  {
    edit = (sql) => sql,
    first,
    alone = false,
    wrong,
  }: {
    readonly edit?: Edit;
    readonly first: string;
    readonly alone?: boolean;
    readonly wrong: (result: Comparison) => boolean;
  },
): Promise<Comparison | undefined> {
  let found: Comparison | undefined;
  const tables = await tablesFrom(first);
  const last = alone ? tables.findIndex(({ name }) => name === first) : tables.length - 1;
  await each(dump, expected, tables.slice(0, last + 1), edit, (result) => {
    if (wrong(result)) found = result;
    return found === undefined;
  });
  return found;
}

export const isWrong = ({ differing, missing, extra }: Comparison): boolean => differing + missing + extra > 0;

async function each(
  dump: BronzeDump,
  expected: Expected,
  tables: readonly VerifiedTable[],
  edit: Edit,
  take: (result: Comparison) => boolean,
): Promise<void> {
  const database = await OracleDatabase.of(dump);
  try {
    await database.begin(edit);
    for (const table of tables) {
      await database.runOne(table.name, edit);
      const columns = columnsOf(table, definitions);
      const wanted = (expected.tables[table.name] ?? []).map((row) => columns.map((column) => textOf(row[column])));
      const found = await database.rows(table.name, columns);
      if (!take(compareRows(table.name, columns, table.identity, wanted, found))) return;
      const late = `${table.name}.late`;
      const count = expected.late[table.name] ?? 0;
      if (table.late && !take(compareCount(late, count, await database.late(table.name)))) return;
    }
  } finally {
    database.close();
  }
}

/** What a file makes: tables, and macros for those behind it. */
const MADE = /CREATE (?:TABLE|MACRO) (?:(?:oracle|late)\.)?"?([\w.]+)/g;

/** All tables, each after those whose files make what it names; `first` as early as can be. */
async function tablesFrom(first: string): Promise<readonly VerifiedTable[]> {
  const files: { readonly table: VerifiedTable; readonly made: RegExp; readonly rests: number[] }[] = [];
  for (const table of VERIFIED_TABLES) {
    const sql = await readOracle(table.name);
    const made = new RegExp(`\\b(${[...sql.matchAll(MADE)].map((match) => match[1]).join('|')})\\b`);
    files.push({ table, made, rests: files.flatMap((before, i) => (before.made.test(sql) ? [i] : [])) });
  }
  const order = new Set<VerifiedTable>();
  const add = (i: number): void => {
    const { table, rests } = files[i]!;
    for (const other of rests) add(other);
    order.add(table);
  };
  for (const [i, { table }] of files.entries()) if (table.name === first) add(i);
  for (const i of files.keys()) add(i);
  return [...order];
}
