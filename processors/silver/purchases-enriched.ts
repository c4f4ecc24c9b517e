import { filter } from 'rxjs';
import { asOfJoin, atLeast, checked, contract, keyBy, mapValues, matches, oneOf, rule, stage } from '#topology';
import type { SilverPurchasesEnriched } from '#schemas';
import { topics } from '../topics.ts';
import { AGE_BANDS, ageBandAt } from './age-band.ts';
import { rowOf } from './change.ts';
import { FORM } from './clean.ts';

const GRACE = { grace: '1m', tableGrace: '1m', join: 'left' } as const;

/** What silver.purchases_enriched promises. */
export const purchasesEnrichedContract = contract(topics.silver.purchasesEnriched, {
  grain: 'one row per purchase, as it was made; later changes of the row in the shop do not count',
  key: 'purchaseId',
  freshness: '90s',
  since: 'event',
  checks: [
    atLeast('purchaseId', 1),
    atLeast('quantity', 1),
    atLeast('unitPrice', 0n),
    rule('revenue is quantity x unitPrice', (row) => row.revenue === BigInt(row.quantity) * row.unitPrice),
    matches('category', FORM.lowerCase, 'in lower case'),
    matches('country', FORM.countryOrUnknown, "a country code or 'unknown'"),
    oneOf('ageBand', AGE_BANDS),
  ],
  example: {
    purchaseId: 11,
    userId: 7,
    itemId: 3,
    quantity: 2,
    unitPrice: 4_990n,
    revenue: 9_980n,
    title: 'Quiet Lamp No. 3',
    category: 'home',
    country: 'GB',
    ageBand: '65+',
    purchasedAt: Date.UTC(2026, 4, 17, 10),
  },
});

/**
 * silver.purchases_enriched: a purchase with its item and its user as they were at its event time. Purchases are facts: only their creation counts.
 * Key: purchase id.
 */
export const purchasesEnriched = stage('silver.purchases_enriched', (s) => {
  const items = s.table(topics.silver.items, { store: 'purchases-items' });
  const users = s.table(topics.silver.users, { store: 'purchases-users' });
  s.stream(topics.bronze.shop.purchases)
    .pipe(
      filter((r) => r.value !== null && (r.value.op === 'c' || r.value.op === 'r')),
      keyBy((r) => String(rowOf(r.value).item_id), { name: 'purchases-by-item' }),
      mapValues((change, _key, purchasedAt) => {
        const { id, user_id, item_id, quantity, unit_price } = rowOf(change);
        const revenue = BigInt(quantity) * unit_price;
        return {
          purchaseId: id,
          userId: user_id,
          itemId: item_id,
          quantity,
          unitPrice: unit_price,
          revenue,
          purchasedAt,
        };
      }),
      asOfJoin(
        items,
        (purchase, item) => ({ ...purchase, title: item?.title ?? null, category: item?.category ?? 'unknown' }),
        {
          ...GRACE,
          store: 'purchases-awaiting-items',
        },
      ),
      keyBy((r) => String(r.value.userId), { name: 'purchases-by-user' }),
      asOfJoin(
        users,
        (purchase, user): SilverPurchasesEnriched => ({
          ...purchase,
          country: user?.country ?? 'unknown',
          ageBand: ageBandAt(user?.birthDate, purchase.purchasedAt),
        }),
        { ...GRACE, store: 'purchases-awaiting-users' },
      ),
      keyBy((r) => String(r.value.purchaseId)),
      checked(purchasesEnrichedContract),
    )
    .to(topics.silver.purchasesEnriched);
});
