/** The result of verify for people. */
import { VERIFIED_TABLES } from './tables.ts';
import type { TableResult } from './verify.ts';

const HEAD = ['table', 'read from', 'expected', 'found', 'missing', 'extra', 'different', 'late', ''];

/**
 * Whether all rows are right and there are enough of them: `minRows`, else what the table says; a topic in the lake may have few, and so has a table whose
 * other rows were those of erased users.
 */
export function isRight(result: TableResult, minRows: number | undefined): boolean {
  const { place, rows, late, erased = 0 } = result;
  const isEmptied = erased > 0 && rows.rows === 0 && rows.extra === 0;
  const isEnough = place === 'lake' || rowsShown(result) >= enough(result, minRows);
  return (rows.ok || isEmptied) && (late?.ok ?? true) && isEnough;
}

function enough({ table }: TableResult, minRows: number | undefined): number {
  return minRows ?? VERIFIED_TABLES.find(({ name }) => name === table)?.fewest ?? 1;
}

const placeOf = ({ place, by }: TableResult): string => (by === undefined ? place : `${place}, by ${by}`);

const rowsShown = ({ rows, erased = 0 }: TableResult): number => rows.rows + erased;

/** One line per table and place, then up to five rows of each that is wrong. */
export function report(results: readonly TableResult[], minRows: number | undefined): string {
  const lines = results.map((result) => {
    const { rows, late } = result;
    const found = rows.rows - rows.missing + rows.extra;
    const counts = [rows.rows, found, rows.missing, rows.extra, rows.differing].map((n) => n.toLocaleString('en'));
    const verdict = isRight(result, minRows) ? 'ok' : 'WRONG';
    const dead = (result.dead ?? 0) > 0 ? `, ${result.dead} in its dead letters` : '';
    const erased = (result.erased ?? 0) > 0 ? `, ${result.erased} of erased users left out` : '';
    return [result.table, placeOf(result), ...counts, lateText(late), `${verdict}${dead}${erased}`];
  });
  const widths = HEAD.map((head, i) => Math.max(head.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const table = [HEAD, ...lines].map((line) =>
    line
      .map((cell, i) => (i >= 2 && i <= 7 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [...table, ...results.flatMap((result) => reasons(result, minRows))].join('\n');
}

function lateText(late: TableResult['late']): string {
  if (late === undefined) return '-';
  const found = late.rows - late.missing + late.extra;
  return late.ok ? found.toLocaleString('en') : `${found} of ${late.rows}`;
}

function reasons(result: TableResult, minRows: number | undefined): string[] {
  if (isRight(result, minRows)) return [];
  const { rows, late } = result;
  const few =
    result.place !== 'lake' && rowsShown(result) < enough(result, minRows)
      ? [`${rows.rows} rows; at least ${enough(result, minRows)} are needed to show anything`]
      : [];
  const lateWrong = late === undefined || late.ok ? [] : late.examples.map((text) => `${late.name}: ${text}`);
  return [
    '',
    `${result.table} in ${placeOf(result)}:`,
    ...[...few, ...rows.examples, ...lateWrong].map((line) => `  ${line}`),
  ];
}
