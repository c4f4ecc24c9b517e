import { filter } from 'rxjs';
import {
  asOfJoin,
  atLeast,
  checked,
  contract,
  dedupe,
  keyBy,
  mapValues,
  matches,
  oneOf,
  rule,
  sorted,
  stage,
} from '#topology';
import type { SilverPurchasesEnriched } from '#schemas';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { AGE_BANDS, ageBandAt } from './age-band.ts';
import { rowOf } from './change.ts';
import { FORM } from './clean.ts';
import { purchaseOfEvent, purchaseOfRow } from './purchase.ts';

const GRACE = { grace: '1m', tableGrace: '1m', join: 'left' } as const;

/** What silver.purchases_enriched promises. */
export const purchasesEnrichedContract = contract(topics.silver.purchasesEnriched, {
  grain:
    'one row per purchase, as it was made, whether the database, the app or both tell it; later changes do not count',
  key: 'purchaseId',
  freshness: '3m',
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
 * silver.purchases_enriched: a purchase with its item and its user as they were at its event time. It comes from the shop's database, from the app, or from
 * both: the earlier of the two in event time counts, whichever comes first. Purchases are facts: only their creation counts. Key: purchase id.
 */
export const purchasesEnriched = stage('silver.purchases_enriched', (s) => {
  const items = s.table(topics.silver.items, { store: 'purchases-items' });
  const users = s.table(topics.silver.users, { store: 'purchases-users' });
  const rows = s.stream(topics.bronze.shop.purchases).pipe(
    filter((r) => r.value !== null && (r.value.op === 'c' || r.value.op === 'r')),
    keyBy((r) => String(rowOf(r.value).id), { name: 'purchases-by-id' }),
    mapValues(purchaseOfRow),
  );
  const events = s.stream(topics.bronze.app.purchaseEvents).pipe(
    filter((r) => r.value !== null),
    keyBy((r) => String(r.value.purchaseId)),
    mapValues(purchaseOfEvent),
  );
  rows
    .merge(events)
    .pipe(
      sorted({ store: 'purchases-in-order', grace: '1m' }),
      dedupe({ by: (r) => r.key, ...ONCE.purchases, store: 'purchases-seen' }),
      keyBy((r) => String(r.value.itemId), { name: 'purchases-by-item' }),
      asOfJoin(
        items,
        (purchase, item) => ({ ...purchase, title: item?.title ?? null, category: item?.category ?? 'unknown' }),
        { ...GRACE, store: 'purchases-awaiting-items' },
      ),
      keyBy((r) => String(r.value.userId), { name: 'purchases-by-user' }),
      asOfJoin(
        users,
        (purchase, user) => ({ ...purchase, country: user?.country ?? 'unknown', birthDate: user?.birthDate }),
        { ...GRACE, store: 'purchases-awaiting-users' },
      ),
      keyBy((r) => String(r.value.purchaseId)),
    )
    .pipe(
      mapValues(({ birthDate, ...purchase }, _key, purchasedAt): SilverPurchasesEnriched => ({
        ...purchase,
        revenue: BigInt(purchase.quantity) * purchase.unitPrice,
        ageBand: ageBandAt(birthDate, purchasedAt),
        purchasedAt,
      })),
      checked(purchasesEnrichedContract),
    )
    .to(topics.silver.purchasesEnriched);
});
