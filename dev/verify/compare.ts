/** Oracle rows against actual rows: every row, every column. */
import type { Row } from './tables.ts';

/** What came of comparing one table. */
export interface Comparison {
  /** For people: the table, and where the actual rows were read. */
  readonly name: string;
  /** Rows that the oracle demands. */
  readonly rows: number;
  /** Same identity, another value in some column. */
  readonly differing: number;
  /** Demanded and not there. */
  readonly missing: number;
  /** There and not demanded. */
  readonly extra: number;
  /** Up to five, for people. */
  readonly examples: readonly string[];
  /** True only when at least one row was compared and none differs, is missing or extra. */
  readonly ok: boolean;
}

const EXAMPLES = 5;

/**
 * Compares two multisets of rows. `identity` names the columns by which a missing and an extra row are seen as one that differs.
 * Two empty tables are no success: nothing was shown.
 */
export function compareRows(
  name: string,
  columns: readonly string[],
  identity: readonly string[],
  expected: readonly Row[],
  actual: readonly Row[],
): Comparison {
  const missing = new Map<string, { row: Row; count: number }>();
  for (const row of expected) {
    const id = JSON.stringify(row);
    const entry = missing.get(id);
    if (entry === undefined) missing.set(id, { row, count: 1 });
    else entry.count++;
  }
  const extra: Row[] = [];
  for (const row of actual) {
    const entry = missing.get(JSON.stringify(row));
    if (entry === undefined || entry.count === 0) extra.push(row);
    else entry.count--;
  }
  const lost = [...missing.values()].flatMap(({ row, count }) => Array.from({ length: count }, () => row));
  return report(name, columns, identity, expected.length, lost, extra);
}

function report(
  name: string,
  columns: readonly string[],
  identity: readonly string[],
  rows: number,
  lost: readonly Row[],
  extra: readonly Row[],
): Comparison {
  const identityOf = (row: Row): string => JSON.stringify(identity.map((column) => row[columns.indexOf(column)]));
  const byIdentity = new Map<string, Row[]>();
  for (const row of lost) {
    const id = identityOf(row);
    const rows = byIdentity.get(id);
    if (rows === undefined) byIdentity.set(id, [row]);
    else rows.push(row);
  }
  const examples: string[] = [];
  let differing = 0;
  for (const row of extra) {
    const wanted = byIdentity.get(identityOf(row))?.shift();
    if (wanted !== undefined) differing++;
    if (examples.length < EXAMPLES)
      examples.push(wanted ? difference(columns, identity, wanted, row) : `extra ${show(columns, row)}`);
  }
  for (const row of [...byIdentity.values()].flat()) {
    if (examples.length >= EXAMPLES) break;
    examples.push(`missing ${show(columns, row)}`);
  }
  const missing = lost.length - differing;
  if (rows === 0 && extra.length === 0) examples.push('no rows: nothing was compared');
  const ok = rows > 0 && lost.length === 0 && extra.length === 0;
  return { name, rows, differing, missing, extra: extra.length - differing, examples, ok };
}

/** A comparison of one number, such as how many records are in a late topic. */
export function compareCount(name: string, expected: number, actual: number): Comparison {
  const ok = expected === actual;
  return {
    name,
    rows: expected,
    differing: 0,
    missing: Math.max(0, expected - actual),
    extra: Math.max(0, actual - expected),
    examples: ok ? [] : [`expected ${expected}, found ${actual}`],
    ok,
  };
}

function show(columns: readonly string[], row: Row): string {
  return columns.map((column, i) => `${column}=${row[i] ?? 'null'}`).join(' ');
}

function difference(columns: readonly string[], identity: readonly string[], wanted: Row, found: Row): string {
  const name = identity.map((column) => `${column}=${wanted[columns.indexOf(column)] ?? 'null'}`).join(' ');
  const changes = columns.flatMap((column, i) =>
    wanted[i] === found[i] ? [] : [`${column}: expected ${wanted[i] ?? 'null'}, found ${found[i] ?? 'null'}`],
  );
  return `differs ${name}: ${changes.join('; ')}`;
}
