import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Received, RefusedRequest } from '../../../dev/posthog/received.ts';

const NOW = Date.UTC(2026, 6, 1);
const uuid = '00000000-0000-5000-8000-000000000001';
const at = new Date(NOW - 5_000).toISOString();
const event = { uuid, event: 'x', distinct_id: 'd', timestamp: at, properties: { $ignore_sent_at: true } };
const batch = (...events: object[]): object => ({
  api_key: 'k',
  sent_at: new Date(NOW - 40).toISOString(),
  batch: events,
});

test('what is equal in uuid, event, timestamp and distinct id is merged, the last one stays', () => {
  const received = new Received();
  received.take(batch(event, { ...event, properties: { ...event.properties, n: 2 } }), NOW);
  received.take(batch({ ...event, distinct_id: 'other' }, { ...event, uuid: 'none' }), NOW);
  assert.deepEqual([received.total, received.again, received.list().length], [4, 1, 3]);
  assert.equal(received.list()[0]?.properties['n'], 2);
});

test('a timestamp is corrected by the time of the request, as PostHog does, unless told not to', () => {
  const received = new Received();
  received.take(batch({ ...event, properties: {} }), NOW);
  received.take(batch({ ...event, timestamp: new Date(NOW + 24 * 3_600_000).toISOString() }), NOW);
  const times = received.list().map(({ timestamp }) => Date.parse(timestamp) - NOW);
  assert.deepEqual(times, [-4_960, 0]);
});

test('posthog-js sends one object or an array, its token and distinct id among the properties', () => {
  const received = new Received();
  const one = { event: '$pageview', properties: { token: 'k', distinct_id: 7 } };
  received.take(one, NOW);
  received.take([one, one], NOW);
  assert.equal(received.total, 3);
});

test('what PostHog refuses is refused as a whole', () => {
  const received = new Received();
  const refused: [number, unknown][] = [
    [400, batch()],
    [400, batch(event, { ...event, event: '' })],
    [400, batch({ ...event, distinct_id: ' ' })],
    [401, { batch: [event] }],
    [400, 'text'],
  ];
  for (const [status, body] of refused) {
    assert.throws(
      () => received.take(body, NOW),
      (error) => error instanceof RefusedRequest && error.status === status,
    );
  }
  assert.equal(received.total, 0);
});

test('memory is bounded, and it says what it let go of', () => {
  const received = new Received(2);
  for (const distinctId of ['a', 'b', 'c']) received.take(batch({ ...event, distinct_id: distinctId }), NOW);
  assert.deepEqual([received.forgotten, received.list().map((each) => each.distinctId)], [1, ['b', 'c']]);
});
