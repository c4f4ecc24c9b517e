/** Purchases from both ways in, each once: the part of the reference that sorts and remembers. */
import type { Timed } from './reference.ts';
import { DAY, MINUTE } from './synthetic.ts';

type Fields = Record<string, unknown>;

/** A record about a purchase, as a row of the database has it. Of those that are taken `ow` is the event time. */
export interface Bought extends Timed {
  readonly row: Fields;
}

export interface BoughtOnce {
  readonly kept: Bought[];
  readonly late: number;
  /** Event time is complete up to here, ms. */
  readonly complete: number;
}

export function boughtOnce(rows: readonly Timed[], events: readonly Timed[], until: number): BoughtOnce {
  const fromRows = rows.flatMap((record): Bought[] => {
    const { op, after } = (record.value ?? {}) as { op?: string; after?: Fields };
    return after !== undefined && (op === 'c' || op === 'r') ? [{ ...record, row: after }] : [];
  });
  const fromEvents = events.flatMap((record): Bought[] => {
    const { purchaseId, userId, itemId, quantity, unitPriceCents } = record.value as Fields;
    if (Number(quantity) <= 0 || Number(unitPriceCents) < 0) return [];
    const row = {
      id: purchaseId,
      user_id: userId,
      item_id: itemId,
      quantity,
      unit_price: BigInt(Number(unitPriceCents)),
    };
    return [{ ...record, row }];
  });
  const all = [...fromRows, ...fromEvents];
  const inTime = all.filter((record) => record.ow - record.timestamp <= MINUTE);
  const kept: Bought[] = [];
  const times = new Map<unknown, number>();
  for (const record of inTime.toSorted((a, b) => a.timestamp - b.timestamp)) {
    if (record.timestamp + MINUTE >= until) break;
    const id = record.row['id'];
    if (record.timestamp - (times.get(id) ?? -Infinity) <= 7 * DAY) continue;
    times.set(id, record.timestamp);
    kept.push({ ...record, ow: record.timestamp });
  }
  return { kept, late: all.length - inTime.length, complete: until - MINUTE };
}
