/** A purchase, whichever way it has come in. */
import { RecordError } from '#topology';
import type { BronzeAppPurchaseEvents, BronzeShopPurchasesValue } from '#schemas';
import { type Change, rowOf } from './change.ts';

/** Money in cents. */
export interface Purchase {
  readonly purchaseId: number;
  readonly userId: number;
  readonly itemId: number;
  readonly quantity: number;
  readonly unitPrice: bigint;
}

/** From a row of the shop's database. */
export function purchaseOfRow(change: Change<BronzeShopPurchasesValue>): Purchase {
  const { id, user_id, item_id, quantity, unit_price } = rowOf(change);
  return { purchaseId: id, userId: user_id, itemId: item_id, quantity, unitPrice: unit_price };
}

/** From an event of the app. What no shop sells is a dead letter: RecordError SLC_RECORD_PURCHASE. */
export function purchaseOfEvent(event: BronzeAppPurchaseEvents): Purchase {
  const { purchaseId, userId, itemId, quantity, unitPriceCents } = event;
  if (quantity < 1 || unitPriceCents < 0) {
    throw new RecordError(
      'SLC_RECORD_PURCHASE',
      `purchase ${purchaseId}: ${quantity} for ${unitPriceCents} cents each`,
    );
  }
  return { purchaseId, userId, itemId, quantity, unitPrice: BigInt(unitPriceCents) };
}
