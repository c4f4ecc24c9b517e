import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { productEventOf } from '../../processors/sinks/posthog.ts';

const visit = {
  eventId: 'e1',
  userId: null,
  anonymousId: 'anon-1',
  sessionId: null,
  occurredAt: 1_000,
  receivedAt: 2_000,
};
const record = (key: string, value: unknown) => ({ offset: 1n, timestamp: 5, key, value });

describe('events for PostHog', () => {
  test('a pageview, as PostHog names it; what is null is left out', () => {
    const value = { ...visit, url: 'https://shop/x', itemId: null, channel: 'ads', referrer: null };
    assert.deepEqual(productEventOf('bronze.app.pageviews', record('e1', value)), {
      // By Python: uuid5(UUID('6b0d0c5e-2f7a-4b8e-9c3d-51a7e4f20b96'), 'bronze.app.pageviews|e1').
      uuid: 'e3cfebe9-6b8b-5216-bbdb-30e4f9af39be',
      event: '$pageview',
      distinctId: 'anon-1',
      timestamp: 1_000,
      properties: { $current_url: 'https://shop/x', utm_source: 'ads', anonymous_id: 'anon-1' },
    });
  });

  test('an event that was sent again is the same one, whatever the offset and the time of receipt', () => {
    const value = { ...visit, succeeded: true, method: 'apple', country: null, device: null };
    const first = productEventOf('bronze.app.logins', record('e1', value));
    const again = { ...record('e1', { ...value, receivedAt: 9_000 }), offset: 77n };
    assert.deepEqual(productEventOf('bronze.app.logins', again), first);
    assert.notEqual(productEventOf('bronze.app.logins', record('e2', value))?.uuid, first?.uuid);
  });

  test('a registration is of the user and says who it is', () => {
    const value = { ...visit, userId: 7, email: 'a@b.c', country: null, channel: 'ads' };
    const event = productEventOf('bronze.app.registrations', record('e1', value));
    assert.equal(event?.distinctId, '7');
    assert.deepEqual(event.properties['$set'], { email: 'a@b.c' });
    assert.equal(event.properties['anonymous_id'], 'anon-1');
  });

  test('a summary keeps its identity when its numbers change, and never lies ahead of the clock', () => {
    const value = {
      windowStart: 0,
      windowEnd: 31 * 86_400_000,
      userId: 3,
      category: 'x',
      orders: 1,
      units: 2,
      revenue: 1_050n,
    };
    const topic = 'gold.monthly_purchase_summary';
    const first = productEventOf(topic, record('k', value));
    const newer = productEventOf(topic, record('k', { ...value, orders: 2 }));
    assert.equal(first?.timestamp, 0);
    assert.equal(first.properties['revenue'], 10.5);
    const { uuid, event, distinctId, timestamp } = first;
    assert.deepEqual({ ...newer, properties: {} }, { uuid, event, distinctId, timestamp, properties: {} });
  });

  test('a change of segment is of the user, says so of the person, and is one of several of its key', () => {
    const value = {
      windowStart: Date.parse('2026-03-28T23:00:00Z'),
      windowEnd: Date.parse('2026-03-29T22:00:00Z'),
      userId: 7,
      fromSegment: null,
      toSegment: 'new',
      reason: 'days since the first visit: 0',
    };
    const topic = 'gold.segment_changes';
    assert.deepEqual(productEventOf(topic, record('7', value)), {
      // By Python: uuid5(UUID('6b0d0c5e-2f7a-4b8e-9c3d-51a7e4f20b96'), 'gold.segment_changes|7|1774738800000').
      uuid: '02d4babb-a47e-5f92-a1fa-29b71f791cd3',
      event: 'segment changed',
      distinctId: '7',
      timestamp: value.windowEnd,
      properties: {
        to_segment: 'new',
        reason: 'days since the first visit: 0',
        $set: { segment: 'new', segment_since: '2026-03-28T23:00:00.000Z' },
      },
    });
    const next = { ...value, windowStart: value.windowEnd, windowEnd: value.windowEnd + 86_400_000 };
    const again = { ...record('7', value), offset: 77n };
    assert.deepEqual(productEventOf(topic, again), productEventOf(topic, record('7', value)));
    assert.notEqual(productEventOf(topic, record('7', next))?.uuid, productEventOf(topic, record('7', value))?.uuid);
  });

  test('deletes and other topics have none', () => {
    assert.equal(productEventOf('gold.registrations_hourly', record('k', null)), undefined);
    assert.equal(productEventOf('silver.users', record('k', {})), undefined);
  });
});
