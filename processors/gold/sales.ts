import type { SilverPurchasesEnriched } from '#schemas';

/** What several purchases come to. `revenue` in cents. */
export interface Sales {
  readonly orders: number;
  readonly units: number;
  readonly revenue: bigint;
}

export const NO_SALES: Sales = { orders: 0, units: 0, revenue: 0n };

/** Whole numbers only, so the order of purchases does not matter. */
export function addSale({ orders, units, revenue }: Sales, purchase: SilverPurchasesEnriched): Sales {
  return { orders: orders + 1, units: units + purchase.quantity, revenue: revenue + purchase.revenue };
}
