/** The result of verify for people. */
import type { TableResult } from './verify.ts';

const HEAD = ['table', 'read from', 'expected', 'found', 'missing', 'extra', 'different', 'late', ''];

/** Whether all rows are right and each table has at least `minRows` of them; a topic in the lake may have few. */
export function isRight({ place, rows, late }: TableResult, minRows: number): boolean {
  return rows.ok && (late?.ok ?? true) && (place === 'lake' || rows.rows >= minRows);
}

/** One line per table and place, then up to five rows of each that is wrong. */
export function report(results: readonly TableResult[], minRows: number): string {
  const lines = results.map((result) => {
    const { rows, late } = result;
    const found = rows.rows - rows.missing + rows.extra;
    const counts = [rows.rows, found, rows.missing, rows.extra, rows.differing].map((n) => n.toLocaleString('en'));
    const verdict = isRight(result, minRows) ? 'ok' : 'WRONG';
    const dead = (result.dead ?? 0) > 0 ? `, ${result.dead} in its dead letters` : '';
    return [result.table, result.place, ...counts, lateText(late), `${verdict}${dead}`];
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

function reasons(result: TableResult, minRows: number): string[] {
  if (isRight(result, minRows)) return [];
  const { rows, late } = result;
  const few =
    result.place !== 'lake' && rows.rows < minRows
      ? [`${rows.rows} rows; at least ${minRows} are needed to show anything`]
      : [];
  const lateWrong = late === undefined || late.ok ? [] : late.examples.map((text) => `${late.name}: ${text}`);
  return [
    '',
    `${result.table} in ${result.place}:`,
    ...[...few, ...rows.examples, ...lateWrong].map((line) => `  ${line}`),
  ];
}
