/** Tables and colours for people. */

/** A column; numbers stand on the right. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** How text is coloured; all of them identities where no colour is wanted. */
export interface Paint {
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
}

const ESCAPE = '\u001B[';
// Colours take no room.
// oxlint-disable-next-line no-control-regex
const CODES = /\u001B\[\d+m/g;

/** Colours on a terminal only, and never with NO_COLOR (https://no-color.org). */
export function paintFor(output: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const coloured = output.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  const code = (begin: number, end: number) => (text: string) =>
    coloured && text !== '' ? `${ESCAPE}${begin}m${text}${ESCAPE}${end}m` : text;
  return { dim: code(2, 22), bold: code(1, 22), red: code(31, 39), yellow: code(33, 39) };
}

/** Aligned lines, the titles first. Cells may be coloured. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[], paint: Paint): string[] {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => lengthOf(row[i] ?? ''))));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, i) => {
        const cell = cells[i] ?? '';
        const room = ' '.repeat((widths[i] ?? 0) - lengthOf(cell));
        return right === true ? room + cell : cell + room;
      })
      .join('  ')
      .trimEnd();
  return [paint.bold(line(columns.map(({ title }) => title))), ...rows.map(line)];
}

/** 0 B, 999 B, 1.2 kB, 34 MB: decimal units. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${unit === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

const numbers = new Intl.NumberFormat('en-US');

/** 1,234; '-' for what is not known. */
export function countText(value: number | bigint | undefined | null): string {
  return value === undefined || value === null ? '-' : numbers.format(value);
}

/** ISO without T and Z; '-' for what is no time. */
export function timeText(ms: number | undefined | null): string {
  return iso(ms)?.replace('T', ' ').replace('Z', '') ?? '-';
}

/** ISO 8601 in UTC; null for what is no time. */
export function iso(ms: number | undefined | null): string | null {
  if (ms === undefined || ms === null || !(Math.abs(ms) <= 8.64e15)) return null;
  return new Date(ms).toISOString();
}

function lengthOf(text: string): number {
  return text.replace(CODES, '').length;
}
