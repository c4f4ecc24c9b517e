import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { createKafkaClient, HINTS_TOPIC, type KafkaClient, originTopic, parseHint, type Topic } from '#topology';
import { type BronzeAppPageviews, type BronzeAppRegistrations, schemas } from '#schemas';
import { testSerdes } from '../../../connectors/avro/testing.ts';
import { createHttpCollector, type HttpCollector } from '../../../connectors/http-events/index.ts';
import { OUT_OF_ORDERNESS, pageview, post, readAll, registration, silent, until } from './support.ts';

const brokers = process.env['SLUICE_TEST_KAFKA']?.split(',');
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

interface Setup {
  readonly client: KafkaClient;
  readonly name: string;
  readonly events: {
    readonly pageview: Topic<string, BronzeAppPageviews>;
    readonly registration: Topic<string, BronzeAppRegistrations>;
  };
  readonly serdes: ReturnType<typeof testSerdes>;
  readonly collector: (this: void) => HttpCollector;
}

function setup(t: TestContext): Setup {
  const suffix = randomUUID().slice(0, 8);
  const client = createKafkaClient({ brokers: brokers ?? [], clientId: `collector-${suffix}`, logger: silent });
  t.after(() => client.close());
  const clock = { outOfOrderness: '1m', maxAhead: '1h' } as const;
  const events = {
    pageview: originTopic(`${suffix}.pageviews`, { ...clock, value: schemas['bronze.app.pageviews'] }),
    registration: originTopic(`${suffix}.registrations`, { ...clock, value: schemas['bronze.app.registrations'] }),
  };
  const name = `collector-${suffix}`;
  const serdes = testSerdes();
  const options = { events, name, serdes, unknownEventsTopic: `${suffix}.events.dlq`, keys: ['dev'], port: 0 };
  const collector = (): HttpCollector => {
    const own = createKafkaClient({ brokers: brokers ?? [], clientId: name, logger: silent });
    const one = createHttpCollector({ ...options, kafka: own, logger: silent, clock: 'sender', hintMs: 20 });
    t.after(async () => {
      await one.stop();
      await own.close();
    });
    return one;
  };
  return { client, name, events, serdes, collector };
}

test('what is accepted is read back decoded, what is rejected is in dead-letter topics, hints end behind it', async (t) => {
  const { client, name, events, serdes, collector } = setup(t);
  const one = collector();
  await one.start();
  const port = one.port ?? 0;
  const views = Array.from({ length: 300 }, (_, i) => pageview({ userId: i, occurredAt: 1_700_000_000_000 + i }));
  const bad = pageview({ itemId: 'seven' });
  const odd = { event: 'cart', properties: {} };
  const answers = await Promise.all([
    post(port, views.slice(0, 150)),
    post(port, [...views.slice(150), bad, odd, registration()], { 'x-sluice-clock': '1700000000300' }),
    post(port, '{', {}),
    post(port, [pageview()], { authorization: 'Bearer no' }),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 400, 401],
  );
  assert.deepEqual(
    answers[1]?.body.rejected?.map(({ index, code }) => [index, code]),
    [
      [150, 'SLC_RECORD_TYPE'],
      [151, 'SLC_RECORD_EVENT'],
    ],
  );
  const written = await readAll(client, events.pageview.name);
  const serde = await serdes.open('value', events.pageview.value, { write: true });
  const read = written.map((record) => ({ ...record, value: serde.deserialize(record.value) }));
  const byUser = read.toSorted((a, b) => Number(a.value.userId) - Number(b.value.userId));
  assert.deepEqual(
    byUser.map(({ key, timestamp, value }) => [key, timestamp, value.eventId, value.userId]),
    views.map(({ properties }, i) => [properties['eventId'], 1_700_000_000_000 + i, properties['eventId'], i]),
  );
  assert.equal((await readAll(client, events.registration.name)).length, 1);
  const [dead] = await readAll(client, `${events.pageview.name}.dlq`);
  assert.deepEqual(JSON.parse(String(dead?.value)), bad);
  assert.equal((await readAll(client, events.registration.name.replace('registrations', 'events.dlq'))).length, 1);
  await until('hints behind all that was written', async () => {
    const hints = await hintsOf(client, name);
    const last = new Map(hints.map((hint) => [`${hint.topic}|${hint.partition}`, hint]));
    const complete = written.every(({ partition, offset }) => {
      const hint = last.get(`${events.pageview.name}|${partition}`);
      return Number(hint?.endOffset ?? 0) > offset && hint?.m === 1_700_000_000_300 - OUT_OF_ORDERNESS;
    });
    return last.size === 12 && complete ? true : undefined;
  });
});

test('another start fences the one before, and goes on behind what it has written', async (t) => {
  const { client, name, events, collector } = setup(t);
  const first = collector();
  await first.start();
  assert.equal((await post(first.port ?? 0, [pageview(), pageview()])).status, 200);
  const second = collector();
  await second.start();
  assert.equal((await post(second.port ?? 0, [], { 'x-sluice-clock': '1700000000000' })).status, 200);
  const written = await readAll(client, events.pageview.name);
  assert.equal(written.length, 2);
  await until('hints of the second know what the first has written', async () => {
    const hints = await hintsOf(client, name);
    return written.every(({ partition, offset }) =>
      hints.some((h) => h.topic === events.pageview.name && h.partition === partition && Number(h.endOffset) > offset),
    ) && hints.length >= 12
      ? true
      : undefined;
  });
  assert.equal((await post(first.port ?? 0, [pageview()])).status, 503);
  assert.equal((await readAll(client, events.pageview.name)).length, 2);
});

async function hintsOf(client: KafkaClient, writer: string): Promise<NonNullable<ReturnType<typeof parseHint>>[]> {
  const records = await readAll(client, HINTS_TOPIC);
  return records.flatMap(({ value }) => parseHint(value) ?? []).filter((hint) => hint.writer === writer);
}
