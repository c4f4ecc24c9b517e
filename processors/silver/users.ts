import { filter } from 'rxjs';
import { keyBy, mapValues, stage } from '#topology';
import type { BronzeShopUsersValue, SilverUsers } from '#schemas';
import { topics } from '../topics.ts';
import { countryCode, emailAddress, text } from './clean.ts';
import { type Change, isChange, rowOf } from './change.ts';

/** silver.users: the shop's users, cleaned; one version per change, a tombstone per delete. Key: user id. */
export const users = stage('silver.users', (s) => {
  s.stream(topics.bronze.shop.users)
    .pipe(
      filter((r) => isChange(r.value)),
      keyBy((r) => String(rowOf(r.value).id)),
      mapValues(cleaned),
    )
    .to(topics.silver.users);
});

function cleaned(change: Change<BronzeShopUsersValue>): SilverUsers | null {
  if (change.op === 'd') return null;
  const row = rowOf(change);
  return {
    userId: row.id,
    email: emailAddress(row.email),
    name: text(row.full_name),
    country: countryCode(row.country),
    birthDate: row.birth_date,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
