import type { BronzeAppCartEvents, BronzeAppPageviews, SilverPurchasesEnriched } from '#schemas';
import { channelOf } from './channel.ts';

/** What somebody did in the shop: one event, or several together. `revenue` in cents. */
export interface Visit {
  readonly userId: number | null;
  /** The first event that knows a channel; two at one instant are told apart by their ids. `at` in ms. */
  readonly entry: { readonly at: number; readonly eventId: string; readonly channel: string } | null;
  readonly views: number;
  readonly cartAdds: number;
  readonly orders: number;
  readonly revenue: bigint;
}

export const NOTHING_YET: Visit = { userId: null, entry: null, views: 0, cartAdds: 0, orders: 0, revenue: 0n };

/** Who it was, as far as the shop can tell: somebody who logs in is another visitor from there on. */
export function visitorOf(event: { readonly userId: number | null; readonly anonymousId?: string }): string {
  return event.userId === null ? `anonymous:${event.anonymousId ?? ''}` : `user:${event.userId}`;
}

export function pageview({ userId, eventId, channel }: BronzeAppPageviews, at: number): Visit {
  return { ...NOTHING_YET, userId, entry: { at, eventId, channel: channelOf(channel) }, views: 1 };
}

/** Only what is put into the cart is counted; taking out is a sign of life. */
export function cartEvent({ userId, eventId, channel, action }: BronzeAppCartEvents, at: number): Visit {
  const cartAdds = isAdd(action) ? 1 : 0;
  return { ...NOTHING_YET, userId, entry: { at, eventId, channel: channelOf(channel) }, cartAdds };
}

export function purchase({ userId, revenue }: SilverPurchasesEnriched): Visit {
  return { ...NOTHING_YET, userId, orders: 1, revenue };
}

/** Something was put into the cart, however the sender spells it. */
export function isAdd(action: string): boolean {
  return action.trim().toLowerCase() === 'add';
}

/** Both: whole numbers, and the entry that comes first in a total order, so it does not matter which of them was there before. */
export function together(a: Visit, b: Visit): Visit {
  return {
    userId: a.userId ?? b.userId,
    entry: first(a.entry, b.entry),
    views: a.views + b.views,
    cartAdds: a.cartAdds + b.cartAdds,
    orders: a.orders + b.orders,
    revenue: a.revenue + b.revenue,
  };
}

function first(a: Visit['entry'], b: Visit['entry']): Visit['entry'] {
  if (a === null || b === null) return a ?? b;
  return a.at < b.at || (a.at === b.at && a.eventId <= b.eventId) ? a : b;
}
