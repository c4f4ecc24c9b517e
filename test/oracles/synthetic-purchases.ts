/** Purchases as the app says them: mostly what a row of the database says too, a moment or up to an hour away; some without a row, some nonsense. */
import type { AppEvents, Rng, Stream } from './synthetic.ts';

const MINUTE = 60_000;
const HORIZON = 7 * 24 * 60 * MINUTE;

/** Users to 14 look around; who is beyond this buys nothing. */
export const MOST_BUYER = 13;

/** What was written of a purchase, and under which event time. */
export interface Sold {
  readonly at: number;
  readonly row: Readonly<Record<string, unknown>>;
}

export function purchaseEvents(g: Rng, { appEvent, again }: AppEvents, sold: readonly Sold[]): Stream {
  let n = 0;
  let last: Record<string, unknown> | undefined;
  const nearest = (at: number): Sold | undefined =>
    sold.toSorted((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))[g.int(0, 2)];
  /** Of a purchase that is just seven days old, or a little more: the one counts once, the other twice. */
  const atTheEdge = (at: number): { at: number; of: Sold } | undefined => {
    const of = sold.find((each) => at <= each.at + HORIZON && each.at + HORIZON <= at + 20 * MINUTE);
    return of && { at: of.at + HORIZON + g.pick([0, 1]), of };
  };
  const event = (at: number, row: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> => {
    const isNonsense = g.chance(0.05);
    const [quantity, price] = isNonsense
      ? g.pick([
          [0, 5],
          [-1, 5],
          [1, -1],
        ] as const)
      : [g.int(1, 5), g.int(0, 9_999)];
    return {
      ...appEvent(g, at, ++n),
      userId: row?.['user_id'] ?? g.int(1, MOST_BUYER),
      purchaseId: row?.['id'] ?? 1_000_000 + n,
      itemId: row?.['item_id'] ?? g.int(1, 11),
      quantity: isNonsense ? quantity : (row?.['quantity'] ?? quantity),
      unitPriceCents: isNonsense ? price : Number(row?.['unit_price'] ?? price),
    };
  };
  return {
    topic: 'bronze.app.purchase_events',
    records: 30,
    write: (t) => {
      if (last !== undefined && g.chance(0.05)) return again(g, last);
      const edge = g.chance(0.4) ? atTheEdge(t) : undefined;
      const of = edge?.of ?? (g.chance(0.8) ? nearest(t) : undefined);
      // Never at the instant of the row: which of both comes first then depends on how their topics are numbered.
      const at = edge?.at ?? (of?.at === t ? t + g.pick([-1, 1]) : t);
      last = event(at, of?.row);
      return { key: last['eventId'], value: last, at };
    },
  };
}
