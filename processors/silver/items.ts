import { filter } from 'rxjs';
import { keyBy, mapValues, stage } from '#topology';
import type { BronzeShopItemsValue, SilverItems } from '#schemas';
import { topics } from '../topics.ts';
import { type Change, isChange, rowOf } from './change.ts';
import { category } from './clean.ts';

/** silver.items: the shop's items, categories normalised; one version per change, a tombstone per delete. Key: item id. */
export const items = stage('silver.items', (s) => {
  s.stream(topics.bronze.shop.items)
    .pipe(
      filter((r) => isChange(r.value)),
      keyBy((r) => String(rowOf(r.value).id)),
      mapValues(cleaned),
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
