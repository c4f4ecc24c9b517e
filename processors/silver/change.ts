import { RecordError } from '#topology';

/** Debezium's envelope of a row of type R. */
export interface Change<R> {
  readonly before: R | null;
  readonly after: R | null;
  readonly op: string;
}

/** Debezium sends a tombstone (no envelope) after each delete, for compaction only; and what we do not know is no change of a row. */
export function isChange(change: Change<unknown> | null): boolean {
  return change !== null && 'crud'.includes(change.op);
}

/** The row that a change is about: as it is, or as it was before a delete. */
export function rowOf<R>(change: Change<R>): R {
  const row = change.op === 'd' ? change.before : change.after;
  if (row === null) throw new RecordError('SLC_SHOP_NO_ROW', `a change with op ${change.op} has no row`);
  return row;
}
