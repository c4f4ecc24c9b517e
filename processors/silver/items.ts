import { filter } from 'rxjs';
import { atLeast, checked, contract, keyBy, mapValues, matches, stage } from '#topology';
import type { BronzeShopItemsValue, SilverItems } from '#schemas';
import { topics } from '../topics.ts';
import { type Change, isChange, rowOf } from './change.ts';
import { category, FORM } from './clean.ts';

/** What silver.items promises. */
export const itemsContract = contract(topics.silver.items, {
  grain: 'one row per item of the shop; a tombstone when the item is deleted',
  key: 'itemId',
  freshness: '3s',
  since: 'event',
  checks: [atLeast('itemId', 1), atLeast('price', 0n), matches('category', FORM.lowerCase, 'in lower case')],
  example: {
    itemId: 3,
    title: 'Quiet Lamp No. 3',
    category: 'home',
    price: 4_990n,
    active: true,
    createdAt: Date.UTC(2026, 4, 1),
    updatedAt: Date.UTC(2026, 4, 17),
  },
});

/** silver.items: the shop's items, categories normalised; one version per change, a tombstone per delete. Key: item id. */
export const items = stage('silver.items', (s) => {
  s.stream(topics.bronze.shop.items)
    .pipe(
      filter((r) => isChange(r.value)),
      keyBy((r) => String(rowOf(r.value).id)),
      mapValues(cleaned),
      checked(itemsContract),
    )
    .to(topics.silver.items);
});

function cleaned(change: Change<BronzeShopItemsValue>): SilverItems | null {
  if (change.op === 'd') return null;
  const row = rowOf(change);
  return {
    itemId: row.id,
    title: row.title,
    category: category(row.category),
    price: row.price,
    active: row.active !== 0,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
