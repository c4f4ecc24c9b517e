import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BronzeShopCustomerProfilesValue } from '#schemas';
import { topics } from '../../processors/index.ts';
import { customerProfiles } from '../../processors/silver/customer-profiles.ts';
import { at, ShopBench } from './shop-bench.ts';

const NOON = at('2026-03-01T12:00:00Z');
const row = (change: Partial<BronzeShopCustomerProfilesValue> = {}): BronzeShopCustomerProfilesValue => ({
  user_id: 7,
  age_band: ' 25-34 ',
  marketing_consent: 1,
  preferences: '{"language": "DE ", "newsletter": false, "pages": 3}',
  created_at: NOON,
  updated_at: NOON,
  ...change,
});
const CLEAN = {
  userId: 7,
  ageBand: '25-34',
  marketingConsent: true,
  language: 'de',
  newsletter: false,
  createdAt: NOON,
  updatedAt: NOON,
};

describe('silver.customer_profiles', () => {
  test('a profile is cleaned; a delete is a tombstone, what Debezium sends after it nothing', async () => {
    const bench = await ShopBench.of(customerProfiles);
    await bench.profile('r', NOON, null, row());
    await bench.profile('u', NOON + 1, row(), row({ marketing_consent: 0 }));
    await bench.profile('d', NOON + 2, row(), null);
    await bench.profileTombstone(NOON + 2, 7);
    await bench.settle();
    const output = await bench.driver.output(topics.silver.customerProfiles);
    assert.deepEqual(
      output.map(({ key, value, timestamp }) => [key, value, timestamp]),
      [
        ['7', CLEAN, NOON],
        ['7', { ...CLEAN, marketingConsent: false }, NOON + 1],
        ['7', null, NOON + 2],
      ],
    );
  });

  test('what says nothing is null or unknown', async () => {
    const unsaid = { ageBand: '25-34', language: null, newsletter: null };
    for (const [written, clean] of [
      [{ age_band: '30' }, { ...CLEAN, ageBand: 'unknown' }],
      [{ age_band: null }, { ...CLEAN, ageBand: 'unknown' }],
      [{ age_band: 'UNDER-18' }, { ...CLEAN, ageBand: 'under-18' }],
      [{ preferences: null }, { ...CLEAN, ...unsaid }],
      [{ preferences: 'no JSON' }, { ...CLEAN, ...unsaid }],
      [{ preferences: 'null' }, { ...CLEAN, ...unsaid }],
      [{ preferences: '["de", true]' }, { ...CLEAN, ...unsaid }],
      [{ preferences: '{"language": "German", "newsletter": "yes"}' }, { ...CLEAN, ...unsaid }],
      [{ preferences: '{"language": 7}' }, { ...CLEAN, ...unsaid }],
    ] as const) {
      const bench = await ShopBench.of(customerProfiles);
      await bench.profile('c', NOON, null, row(written));
      await bench.settle();
      assert.deepEqual(await bench.rows('silver.customer_profiles'), [{ key: '7', ...clean }], JSON.stringify(written));
    }
  });

  test('a change without its row is a dead letter', async () => {
    const bench = await ShopBench.of(customerProfiles);
    await bench.profile('u', NOON, null, null);
    await bench.settle();
    assert.deepEqual(
      bench.driver.deadLetters('silver.customer_profiles').map(({ code }) => code),
      ['SLC_SHOP_NO_ROW'],
    );
  });
});
