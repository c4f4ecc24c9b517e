/** Windows of a fixed size: the part of the reference that knows which hold a record. */
import { WINDOW_GRACE } from './reference-sold.ts';

/** Puts what its ow accepts into every window [s, s + size) that holds its time; counts what is late, once per window. */
export function windowed<T extends { readonly ts: number; readonly ow: number; readonly group: string }>(
  rows: readonly T[],
  size: number,
  advance: number,
): { windows: Map<string, { start: number; end: number; group: string; rows: T[] }>; late: number } {
  const windows = new Map<string, { start: number; end: number; group: string; rows: T[] }>();
  let late = 0;
  for (const row of rows) {
    for (let start = Math.floor(row.ts / advance) * advance; start > row.ts - size; start -= advance) {
      const end = start + size;
      if (row.ow >= end + WINDOW_GRACE) {
        late++;
        continue;
      }
      const id = `${new Date(start).toISOString()}|${row.group}`;
      const window = windows.get(id) ?? { start, end, group: row.group, rows: [] };
      windows.set(id, window);
      window.rows.push(row);
    }
  }
  return { windows, late };
}
