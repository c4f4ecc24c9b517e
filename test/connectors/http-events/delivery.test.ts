import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ConfigError, RetriableError, type SerdeFactory } from '#topology';
import { createHttpCollector } from '../../../connectors/http-events/index.ts';
import { arrayElements } from '../../../connectors/http-events/json-elements.ts';
import { SenderClock } from '../../../connectors/http-events/sender-clock.ts';
import { Bench, OUT_OF_ORDERNESS, pageview, PAGEVIEWS, post, silent, UNKNOWN, until } from './support.ts';

const at = (clock: number): Record<string, string> => ({ 'x-sluice-clock': String(clock) });

test('requests that come together share a transaction, each whole', async (t) => {
  const bench = await Bench.started(t, { limits: { lingerMs: 50 } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => bench.post([pageview(), pageview()])));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok(bench.commits < 10, `${bench.commits} transactions`);
  assert.equal((await bench.written(PAGEVIEWS)).length, 40);
});

test('a transaction waits for no more than its records', async (t) => {
  const bench = await Bench.started(t, { limits: { lingerMs: 60_000, recordsPerTransaction: 3, answerMs: 5_000 } });
  const first = bench.post([pageview(), pageview()]);
  const second = bench.post([pageview(), pageview()]);
  assert.deepEqual([(await first).status, (await second).status, bench.commits], [200, 200, 1]);
});

test('the answer waits for the commit', async (t) => {
  const bench = await Bench.started(t);
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  let answered = false;
  const answer = bench.post(pageview()).then((a) => {
    answered = true;
    return a;
  });
  // Health is answered meanwhile: it is not the server that waits.
  for (let i = 0; i < 5; i++) await fetch(`http://127.0.0.1:${bench.collector.port}/health`);
  assert.equal(answered, false);
  assert.deepEqual(await bench.written(PAGEVIEWS), []);
  gate.resolve();
  assert.equal((await answer).status, 200);
});

for (const [name, limits] of [
  ['requests', { requestsInFlight: 2 }],
  ['bytes', { bytesInFlight: 500 }],
] as const) {
  test(`too many ${name} in flight: 429 with retry-after, nothing of it written, then room again`, async (t) => {
    const bench = await Bench.started(t, { limits: { ...limits, recordsPerTransaction: 1 } });
    const gate = Promise.withResolvers<void>();
    bench.gate = gate.promise;
    const pending = [bench.post(pageview()), bench.post(pageview())];
    const refusal = await until('a refusal', async () => {
      const probe = bench.post(pageview(), { connection: 'close' });
      const answer = await Promise.race([probe, new Promise<undefined>((r) => setTimeout(() => r(undefined), 50))]);
      if (answer === undefined) pending.push(probe);
      return answer?.status === 429 ? answer : undefined;
    });
    assert.deepEqual([refusal.body.code, refusal.headers['retry-after']], ['SLC_COLLECTOR_BUSY', '1']);
    gate.resolve();
    const answers = await Promise.all(pending);
    const taken = answers.filter(({ status }) => status === 200).length;
    assert.ok(taken >= 1);
    assert.equal((await bench.written(PAGEVIEWS)).length, taken);
    assert.equal((await bench.post(pageview())).status, 200);
  });
}

test('a sender that hangs up gives its room back', async (t) => {
  const bench = await Bench.started(t, { limits: { requestsInFlight: 1 } });
  const socket = connect(bench.collector.port ?? 0, '127.0.0.1');
  socket.write('POST /v1/events HTTP/1.1\r\nhost: x\r\nx-api-key: dev\r\ncontent-type: application/json\r\n');
  socket.write('content-length: 100\r\n\r\n[');
  await until('the room is taken', async () => ((await bench.post('[]')).status === 429 ? true : undefined));
  socket.destroy();
  await until('the room is free', async () => ((await bench.post('[]')).status === 200 ? true : undefined));
});

test('Kafka away: 503 with retry-after; back again: all that was answered with 200 is there', async (t) => {
  const bench = await Bench.started(t);
  assert.equal((await bench.post(pageview())).status, 200);
  bench.broker.away = true;
  const refusal = await bench.post(pageview());
  assert.deepEqual(
    [refusal.status, refusal.body.code, refusal.headers['retry-after']],
    [503, 'SLC_COLLECTOR_AWAY', '1'],
  );
  await until('it says for what', async () => (bench.collector.stats().waitingFor === 'Kafka' ? true : undefined));
  const health = await fetch(`http://127.0.0.1:${bench.collector.port}/health`);
  assert.deepEqual([health.status, await health.json()], [503, { status: 'waiting', waitingFor: 'Kafka' }]);
  bench.broker.away = false;
  const again = pageview();
  await until('it goes on', async () => ((await bench.post(again)).status === 200 ? true : undefined));
  assert.equal((await bench.written(PAGEVIEWS)).length, 2);
  assert.equal(bench.collector.stats().waitingFor, undefined);
});

test('Kafka that does not answer: 503 in time', async (t) => {
  const bench = await Bench.started(t, { limits: { answerMs: 50 } });
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  const answer = await bench.post(pageview());
  assert.deepEqual([answer.status, answer.body.code], [503, 'SLC_COLLECTOR_AWAY']);
  gate.resolve();
});

test('a second collector fences the first, which comes back by itself', async (t) => {
  const bench = await Bench.started(t);
  const intruder = await bench.broker.client().producer({ transactionalId: 'sluice-collector' });
  await intruder.fence();
  assert.equal((await bench.post(pageview())).status, 503);
  await until('it goes on', async () => ((await bench.post(pageview())).status === 200 ? true : undefined));
  assert.equal((await bench.written(PAGEVIEWS)).length, 1);
});

test('starts before the registry and Kafka, and says for what it waits', async (t) => {
  const waits: string[] = [];
  const logger = { ...silent, warn: (_fields: object, message: string) => void waits.push(message) };
  const bench = new Bench();
  let away = true;
  const serdes: SerdeFactory = {
    open: async (...args) => {
      if (away) throw new RetriableError('SLC_REGISTRY_AWAY', 'no answer');
      return await bench.serdes.open(...args);
    },
  };
  const waiting = new Bench({ serdes, logger });
  t.after(() => waiting.collector.stop());
  waiting.broker.away = true;
  const started = waiting.collector.start();
  await until('it waits for Kafka', async () => (waits.some((line) => line.startsWith('waiting for Kafka')) ? true : undefined)); // prettier-ignore
  assert.equal((await waiting.post(pageview())).status, 503);
  waiting.broker.away = false;
  await until('it waits for the registry', async () => (waits.some((line) => line.startsWith('waiting for the schema registry')) ? true : undefined)); // prettier-ignore
  away = false;
  await started;
  assert.equal((await waiting.post(pageview())).status, 200);
});

test('stop commits what was received, and refuses what comes later', async (t) => {
  const bench = await Bench.started(t, { limits: { lingerMs: 60_000 } });
  const pending = Array.from({ length: 5 }, () => bench.post(pageview()));
  await until('all are received', async () => (bench.encoded === 5 ? true : undefined));
  await bench.collector.stop();
  const taken = (await Promise.all(pending)).filter(({ status }) => status === 200).length;
  assert.equal((await bench.written(PAGEVIEWS)).length, taken);
  assert.equal(taken, 5);
  await assert.rejects(post(bench.collector.port ?? 1, pageview()));
});

test('a port in use is refused by name', async (t) => {
  const first = await Bench.started(t);
  const second = new Bench({ port: first.collector.port ?? 0 });
  t.after(() => second.collector.stop());
  await assert.rejects(
    second.collector.start(),
    (error) => error instanceof ConfigError && error.code === 'SLC_COLLECTOR_PORT' && /is in use/.test(error.message),
  );
});

test('no key, and a topic without a clock, are refused', () => {
  const bench = new Bench();
  const options = {
    kafka: bench.broker.client(),
    serdes: bench.serdes,
    port: 0,
    logger: silent,
    unknownEventsTopic: UNKNOWN,
  };
  assert.throws(() => createHttpCollector({ ...options, events: {}, keys: [] }), { code: 'SLC_CONFIG_COLLECTOR' });
  assert.throws(() => createHttpCollector({ ...options, events: {}, keys: ['dev', ''] }), {
    code: 'SLC_CONFIG_COLLECTOR',
  });
  const derived = {
    name: 'x',
    partitions: 6,
    cleanup: 'delete',
    value: { name: 'x', definition: {} },
    origin: undefined,
  } as const;
  assert.throws(() => createHttpCollector({ ...options, events: { x: derived }, keys: ['dev'] }), {
    code: 'SLC_CONFIG_COLLECTOR',
  });
});

test('hints by the sender: none before it says its clock, then every partition by the largest, behind what is committed', async (t) => {
  const bench = await Bench.started(t, { clock: 'sender' });
  assert.equal((await bench.post(pageview({ occurredAt: 1_000_000 }))).status, 200);
  assert.deepEqual(await bench.hints(), []);
  assert.equal((await bench.post([pageview()], at(2_000_000))).status, 200);
  assert.equal((await bench.post([], at(1_500_000))).status, 200);
  const hints = await until('hints', async () => {
    const all = await bench.hints();
    return all.length >= 12 ? all : undefined;
  });
  assert.ok(hints.every(({ m, writer }) => m === 2_000_000 - OUT_OF_ORDERNESS && writer === 'collector'));
  assert.equal(new Set(hints.map(({ topic, partition }) => `${topic}|${partition}`)).size, 12);
  const written = await bench.written(PAGEVIEWS);
  for (const { topic, partition, endOffset } of hints) {
    const own = topic === PAGEVIEWS ? written.filter((record) => record.partition === partition) : [];
    assert.equal(endOffset, own.length === 0 ? 0n : BigInt(Math.max(...own.map(({ offset }) => offset)) + 1));
  }
  // A clock that says nothing new changes nothing; one that does, does.
  assert.equal((await bench.post([], at(3_000_000))).status, 200);
  await until('more hints', async () => ((await bench.hints()).length >= 24 ? true : undefined));
  assert.equal((await bench.hints()).length, 24);
});

test('a clock is not believed before the events that came with it are committed', async (t) => {
  const bench = await Bench.started(t, { clock: 'sender', limits: { lingerMs: 0 } });
  await bench.post([pageview()], at(2_000_000));
  await until('hints', async () => ((await bench.hints()).length === 12 ? true : undefined));
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  const pending = bench.post([pageview()], at(5_000_000));
  await until('it is received', async () => (bench.encoded === 2 ? true : undefined));
  // Time for several hints, were they allowed.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok((await bench.hints()).every(({ m }) => m === 2_000_000 - OUT_OF_ORDERNESS));
  gate.resolve();
  await pending;
  await until('hints go on', async () => ((await bench.hints()).at(-1)?.m === 5_000_000 - OUT_OF_ORDERNESS ? true : undefined)); // prettier-ignore
});

test('while requests never cease hints still move', async (t) => {
  const bench = await Bench.started(t, { clock: 'sender', hintMs: 1 });
  let clock = 1_000_000;
  const stop = new AbortController();
  const senders = Array.from({ length: 4 }, async () => {
    while (!stop.signal.aborted) await bench.post([pageview()], at((clock += 1_000)));
  });
  await until('many hints', async () => (new Set((await bench.hints()).map(({ m }) => m)).size > 5 ? true : undefined));
  stop.abort();
  await Promise.all(senders);
});

test('after a restart hints say where the log ends', async (t) => {
  const bench = await Bench.started(t, { clock: 'sender' });
  await bench.post([pageview()], at(2_000_000));
  await bench.collector.stop();
  const written = await bench.written(PAGEVIEWS);
  const before = (await bench.hints()).length;
  const next = createHttpCollector({
    kafka: bench.broker.client(),
    serdes: bench.serdes,
    events: bench.events,
    unknownEventsTopic: UNKNOWN,
    keys: ['dev'],
    port: 0,
    clock: 'wall',
    hintMs: 10,
    logger: silent,
  });
  t.after(() => next.stop());
  const start = Date.now();
  await next.start();
  const hints = await until('hints by the wall clock', async () => {
    const all = (await bench.hints()).slice(before);
    return all.length >= 12 ? all.slice(0, 12) : undefined;
  });
  assert.ok(hints.every(({ m }) => m >= start - OUT_OF_ORDERNESS && m <= Date.now() - OUT_OF_ORDERNESS));
  const partition = written[0]?.partition ?? -1;
  const hint = hints.find((one) => one.topic === PAGEVIEWS && one.partition === partition);
  assert.ok(Number(hint?.endOffset) > (written[0]?.offset ?? Infinity));
});

test('the wall clock, and while a sender says its own that one', () => {
  let now = 100_000_000;
  const wall = new SenderClock('wall', () => now);
  assert.equal(wall.reached(), now);
  wall.hear(5);
  wall.hear(3);
  assert.equal(wall.reached(), 5);
  now += 60_000;
  assert.equal(wall.reached(), now);
  const sender = new SenderClock('sender', () => now);
  assert.equal(sender.reached(), undefined);
  sender.hear(7);
  now += 3_600_000;
  assert.equal(sender.reached(), 7);
});

test('bytes of elements', () => {
  const of = (text: string): string[] => arrayElements(Buffer.from(text)).map(String);
  assert.deepEqual(of(' [ ] '), []);
  assert.deepEqual(of('[{"a":[1,{"b":"],}\\""}]} ,\n2,"x,\\\\" , [ [ ] ],null]\n'), ['{"a":[1,{"b":"],}\\""}]}', '2', '"x,\\\\"', '[ [ ] ]', 'null']); // prettier-ignore
});
