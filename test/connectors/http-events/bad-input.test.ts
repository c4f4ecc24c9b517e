import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { partitionFor } from '#topology';
import { schemas } from '#schemas';
import { Bench, pageview, PAGEVIEWS, registration, REGISTRATIONS, UNKNOWN } from './support.ts';

const HOUR = 3_600_000;

test('good events are in their topics: event time, key, partition, fields', async (t) => {
  const bench = await Bench.started(t);
  const view = pageview({ userId: 5, channel: 'Ads' });
  const answer = await bench.post([view, registration({ country: 'DE' })]);
  assert.deepEqual([answer.status, answer.body], [200, { accepted: 2, rejected: [] }]);
  const [record, ...others] = await bench.written(PAGEVIEWS);
  assert.equal(others.length, 0);
  const id = String(view.properties['eventId']);
  assert.equal(record?.key, id);
  assert.equal(record.timestamp, view.properties['occurredAt']);
  assert.equal(record.partition, partitionFor(Buffer.from(id), 6));
  const serde = await bench.serdes.open(`${PAGEVIEWS}-value`, schemas['bronze.app.pageviews'], { write: true });
  const { receivedAt, ...value } = serde.deserialize(record.value);
  assert.ok(Math.abs(receivedAt - Date.now()) < HOUR);
  assert.deepEqual({ ...value }, { ...view.properties, sessionId: null, itemId: null, referrer: null });
  assert.equal((await bench.written(REGISTRATIONS)).length, 1);
  assert.deepEqual(bench.collector.stats().accepted, { pageview: 1, registration: 1 });
});

test('one event needs no array, and a UUID in capitals is the same key', async (t) => {
  const bench = await Bench.started(t);
  const eventId = '0F8FAD5B-D9CB-469F-A165-70867728950E';
  assert.equal((await bench.post(pageview({ eventId }))).status, 200);
  assert.equal((await bench.written(PAGEVIEWS))[0]?.key, eventId.toLowerCase());
});

const big = pageview({ url: 'x'.repeat(70_000) });
const refused: readonly [
  name: string,
  body: () => unknown,
  headers: Record<string, string>,
  status: number,
  code: string,
][] = [
  ['no JSON', () => '{"event":', {}, 400, 'SLC_COLLECTOR_BODY'],
  ['JSON that is no event', () => '5', {}, 400, 'SLC_COLLECTOR_BODY'],
  ['an empty body', () => '', {}, 400, 'SLC_COLLECTOR_BODY'],
  ['bytes that are no UTF-8', () => Buffer.from([0x22, 0xff, 0x22]), {}, 400, 'SLC_COLLECTOR_BODY'],
  ['a wrong key', () => [pageview()], { authorization: 'Bearer de' }, 401, 'SLC_COLLECTOR_KEY'],
  ['no key', () => [pageview()], { authorization: '' }, 401, 'SLC_COLLECTOR_KEY'],
  ['another scheme', () => [pageview()], { authorization: 'Basic dev' }, 401, 'SLC_COLLECTOR_KEY'],
  ['a body over the limit', () => [pageview({ url: 'x'.repeat(2 ** 20) })], {}, 413, 'SLC_COLLECTOR_TOO_LARGE'],
  ['too many events', () => Array.from({ length: 501 }, () => pageview()), {}, 413, 'SLC_COLLECTOR_TOO_LARGE'],
  ['an event over the limit among others', () => [pageview(), big], {}, 413, 'SLC_COLLECTOR_TOO_LARGE'],
  ['one event over the limit', () => big, {}, 413, 'SLC_COLLECTOR_TOO_LARGE'],
  ['another content type', () => [pageview()], { 'content-type': 'text/plain' }, 415, 'SLC_COLLECTOR_MEDIA_TYPE'],
  ['a compressed body', () => gzipSync('[]'), { 'content-encoding': 'gzip' }, 415, 'SLC_COLLECTOR_MEDIA_TYPE'],
  ['a clock that is none', () => [pageview()], { 'x-sluice-clock': 'now' }, 400, 'SLC_COLLECTOR_CLOCK'],
  [
    'a clock far ahead',
    () => [pageview()],
    { 'x-sluice-clock': String(Date.now() + 2 * HOUR) },
    400,
    'SLC_COLLECTOR_CLOCK',
  ],
];

for (const [name, body, headers, status, code] of refused) {
  test(`${name}: ${status}, nothing written`, async (t) => {
    const bench = await Bench.started(t);
    const answer = await bench.post(body(), headers);
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
    assert.deepEqual(await bench.all(), []);
    // The same connection settings with a good request: the refusal had the reason named.
    assert.equal((await bench.post([pageview()])).status, 200);
  });
}

test('x-api-key is as good as a bearer key, and every configured key', async (t) => {
  const bench = await Bench.started(t);
  const headers = (key: string): Record<string, string> => ({ 'x-api-key': key });
  const withoutBearer = (key: string) =>
    fetch(`http://127.0.0.1:${bench.collector.port}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', ...headers(key) },
      body: JSON.stringify(pageview()),
    });
  assert.equal((await withoutBearer('dev')).status, 200);
  assert.equal((await withoutBearer('first')).status, 200);
  assert.equal((await withoutBearer('second')).status, 401);
});

const rejected: readonly [name: string, event: () => unknown, code: string, topic: string][] = [
  ['a text for a number', () => pageview({ userId: 'five' }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['a fraction for a long', () => pageview({ itemId: 1.5 }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['a number that is not exact', () => pageview({ itemId: 2 ** 53 }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['no UUID', () => pageview({ eventId: 'e1' }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['null where it must not be', () => pageview({ url: null }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['half a surrogate pair', () => pageview({ url: '\ud800' }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['a time before 1970', () => pageview({ occurredAt: -1 }), 'SLC_RECORD_TYPE', `${PAGEVIEWS}.dlq`],
  ['a field missing', () => pageview({ anonymousId: undefined }), 'SLC_RECORD_FIELDS', `${PAGEVIEWS}.dlq`],
  ['a field too many', () => registration({ age: 5 }), 'SLC_RECORD_FIELDS', `${REGISTRATIONS}.dlq`],
  ['the time of receipt', () => pageview({ receivedAt: 5 }), 'SLC_RECORD_FIELDS', `${PAGEVIEWS}.dlq`],
  ['no properties', () => ({ event: 'pageview' }), 'SLC_RECORD_FIELDS', `${PAGEVIEWS}.dlq`],
  ['something beside them', () => ({ ...pageview(), at: 5 }), 'SLC_RECORD_FIELDS', `${PAGEVIEWS}.dlq`],
  ['a time far ahead', () => pageview({ occurredAt: Date.now() + 2 * HOUR }), 'SLC_RECORD_AHEAD', `${PAGEVIEWS}.dlq`],
  ['an unknown event', () => ({ ...pageview(), event: 'purchase' }), 'SLC_RECORD_EVENT', UNKNOWN],
  ['a name out of the prototype', () => ({ ...pageview(), event: 'toString' }), 'SLC_RECORD_EVENT', UNKNOWN],
  ['no event at all', () => [1], 'SLC_RECORD_EVENT', UNKNOWN],
];

for (const [name, event, code, topic] of rejected) {
  test(`${name}: the others are accepted, this one is named and put aside as it was sent`, async (t) => {
    const bench = await Bench.started(t);
    const bad = event();
    // White space and the order of fields are the sender's.
    const text = JSON.stringify(bad, null, 1);
    const body = `[ ${JSON.stringify(pageview({ url: '/a,]}"\\' }))},\n${text} , ${JSON.stringify(registration())}]`;
    const answer = await bench.post(body);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.accepted, 2);
    const [said, ...more] = answer.body.rejected ?? [];
    assert.equal(more.length, 0);
    assert.deepEqual([said?.index, said?.code], [1, code]);
    const eventId = (bad as { properties?: { eventId?: string } }).properties?.eventId;
    assert.equal(said?.eventId, eventId);
    const [record, ...others] = await bench.written(topic);
    assert.equal(others.length, 0);
    assert.equal(record?.value.toString(), text);
    assert.equal(record.key, eventId);
    assert.deepEqual(record.headers, { stage: topic.replace('.dlq', ''), code, reason: said?.reason });
    assert.equal((await bench.all()).length, 3);
    assert.equal(bench.collector.stats().rejected, 1);
  });
}

test('a field is named in the reason, its value is not', async (t) => {
  const bench = await Bench.started(t);
  const { body } = await bench.post(registration({ email: 5, country: 'secret' }));
  assert.equal(body.rejected?.[0]?.reason, 'email is not a text or null');
  const odd = await bench.post(registration({ ['x'.repeat(1_000)]: 'secret' }));
  assert.match(odd.body.rejected?.[0]?.reason ?? '', /^"x{64}\.\.\." is not known$/);
});

test('no path but the one', async (t) => {
  const bench = await Bench.started(t);
  const base = `http://127.0.0.1:${bench.collector.port}`;
  const wrong = await fetch(`${base}/v1/event`, { method: 'POST' });
  assert.equal(wrong.status, 404);
  assert.equal(((await wrong.json()) as { code: string }).code, 'SLC_COLLECTOR_PATH');
  const health = await fetch(`${base}/health`);
  assert.deepEqual([health.status, await health.json()], [200, { status: 'ok' }]);
});
