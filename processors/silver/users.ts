import { filter } from 'rxjs';
import { atLeast, checked, contract, keyBy, mapValues, matches, stage } from '#topology';
import type { BronzeShopUsersValue, SilverUsers } from '#schemas';
import { topics } from '../topics.ts';
import { countryCode, emailAddress, FORM, text } from './clean.ts';
import { type Change, isChange, rowOf } from './change.ts';

/** What silver.users promises. */
export const usersContract = contract(topics.silver.users, {
  grain: 'one row per user of the shop; a tombstone when the user is deleted',
  key: 'userId',
  freshness: '3s',
  since: 'event',
  checks: [
    atLeast('userId', 1),
    matches('email', FORM.lowerCase, 'in lower case, without spaces around it'),
    matches('country', FORM.country, 'a country code'),
  ],
  example: {
    userId: 7,
    email: 'ada.7@example.com',
    name: 'Ada Lovelace',
    country: 'GB',
    birthDate: -12_804,
    createdAt: Date.UTC(2026, 4, 1),
    updatedAt: Date.UTC(2026, 4, 17),
  },
});

/** silver.users: the shop's users, cleaned; one version per change, a tombstone per delete. Key: user id. */
export const users = stage('silver.users', (s) => {
  s.stream(topics.bronze.shop.users)
    .pipe(
      filter((r) => isChange(r.value)),
      keyBy((r) => String(rowOf(r.value).id)),
      mapValues(cleaned),
      checked(usersContract),
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
