import { filter } from 'rxjs';
import { atLeast, checked, contract, keyBy, mapValues, matches, oneOf, stage } from '#topology';
import type { BronzeShopCustomerProfilesValue, SilverCustomerProfiles } from '#schemas';
import { topics } from '../topics.ts';
import { AGE_BANDS, ageBandOf } from './age-band.ts';
import { type Change, isChange, rowOf } from './change.ts';
import { FORM, languageCode } from './clean.ts';

/** What silver.customer_profiles promises. */
export const customerProfilesContract = contract(topics.silver.customerProfiles, {
  grain: 'one row per user who has a profile; a tombstone when it is deleted',
  key: 'userId',
  freshness: '3s',
  since: 'event',
  checks: [atLeast('userId', 1), oneOf('ageBand', AGE_BANDS), matches('language', FORM.language, 'a language code')],
  example: {
    userId: 7,
    ageBand: '65+',
    marketingConsent: true,
    language: 'en',
    newsletter: false,
    createdAt: Date.UTC(2026, 4, 1),
    updatedAt: Date.UTC(2026, 4, 17),
  },
});

/** silver.customer_profiles: what customers told about themselves, cleaned; one version per change, a tombstone per delete. Key: user id. */
export const customerProfiles = stage('silver.customer_profiles', (s) => {
  s.stream(topics.bronze.shop.customerProfiles)
    .pipe(
      filter((r) => isChange(r.value)),
      keyBy((r) => String(rowOf(r.value).user_id)),
      mapValues(cleaned),
      checked(customerProfilesContract),
    )
    .to(topics.silver.customerProfiles);
});

function cleaned(change: Change<BronzeShopCustomerProfilesValue>): SilverCustomerProfiles | null {
  if (change.op === 'd') return null;
  const row = rowOf(change);
  const { language, newsletter } = preferencesOf(row.preferences);
  return {
    userId: row.user_id,
    ageBand: ageBandOf(row.age_band),
    marketingConsent: row.marketing_consent !== 0,
    language: typeof language === 'string' ? languageCode(language) : null,
    newsletter: typeof newsletter === 'boolean' ? newsletter : null,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Whatever apps of all versions have written there: what is no JSON object says nothing. */
function preferencesOf(json: string | null): { readonly language?: unknown; readonly newsletter?: unknown } {
  try {
    const written: unknown = JSON.parse(json ?? '{}');
    return typeof written === 'object' && written !== null ? written : {};
  } catch {
    return {};
  }
}
