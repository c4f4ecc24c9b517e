/** Events arrive at least once whatever the collector does, and the clock never says more than has arrived. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollectorClient } from '../../simulators/collector-client.ts';
import { EventSource, type SimEvent } from '../../simulators/events.ts';
import { SimulatorError } from '../../simulators/failure.ts';
import { Random } from '../../simulators/random.ts';
import { seedWorld } from '../../simulators/world.ts';
import { type Fate, startStubCollector, type StubCollector } from './stub-collector.ts';

const WALL = Date.UTC(2026, 4, 17);
const log = { info: () => undefined, warn: () => undefined };

function events(count: number): SimEvent[] {
  const source = new EventSource(new Random('client'), seedWorld(new Random('client'), WALL));
  return Array.from({ length: count }, (_, i) => source.next(WALL + i * 1_636, WALL + 1e9));
}

interface Sent {
  readonly stub: StubCollector;
  readonly arrived: SimEvent[];
  readonly failures: unknown[];
  readonly client: CollectorClient;
}

async function send(what: readonly SimEvent[], fate: (request: number) => Fate): Promise<Sent> {
  const stub = await startStubCollector(fate);
  const sent: Omit<Sent, 'client'> = { stub, arrived: [], failures: [] };
  const client = new CollectorClient({
    url: stub.url,
    key: 'dev',
    saysClock: true,
    log,
    onArrived: (event) => sent.arrived.push(event),
    onFatal: (error) => {
      sent.failures.push(error);
      client.stop();
    },
  });
  for (const event of what) client.offer(event);
  await client.drain();
  if (sent.failures.length === 0) await client.sayClock(WALL + 1e8);
  client.stop();
  await stub.close();
  return { ...sent, client };
}

test('all arrives once when the collector is well; at most four requests at a time', async () => {
  const made = events(5_000);
  const { stub, arrived, client } = await send(made, () => 'taken');
  assert.deepEqual(arrived.map((event) => event.id).sort(), made.map((event) => event.id).sort());
  assert.equal(stub.arrived.length, 5_000);
  assert.equal(client.resent, 0);
  assert.equal(
    stub.headers.every((headers) => headers.authorization === 'Bearer dev'),
    true,
  );
  assert.ok(stub.headers.length >= 5_000 / 200);
  assert.ok(stub.maxInFlight > 1 && stub.maxInFlight <= 4, String(stub.maxInFlight));
});

test('the same body again until it is taken: 429, 503, lost answers', async () => {
  const made = events(8_000);
  const fates: Fate[] = [429, 'taken', 503, 'answer-lost', 'taken', 'taken', 500];
  const { stub, arrived, failures, client } = await send(made, (request) =>
    request < 60 ? (fates[request % fates.length] ?? 'taken') : 'taken');
  assert.deepEqual(failures, []);
  assert.equal(arrived.length, 8_000);
  assert.deepEqual([...stub.owed], []);
  assert.ok(client.resent >= 30);
  assert.equal(new Set(stub.arrived.map((event) => event.id)).size, new Set(made.map((event) => event.id)).size);
  const late = new Set(made.filter((event) => event.flag === 'late').map((event) => event.id));
  assert.ok(late.size > 0);
  assert.deepEqual(stub.breaches.filter((id) => !late.has(id)), []);
  assert.equal(stub.clocks.at(-1), WALL + 1e8);
}); // prettier-ignore

test('a refusal ends it: waiting would not help', async () => {
  for (const status of [401, 404, 413, 422]) {
    const { failures, arrived } = await send(events(300), () => status);
    assert.ok(failures[0] instanceof SimulatorError && failures[0].code === 'SLC_CONFIG_COLLECTOR_REFUSES');
    assert.deepEqual(arrived, []);
  }
});

test('a batch of invalid events only may be refused: it has arrived', async () => {
  const invalid = events(3_000).filter((event) => event.flag.startsWith('invalid:'));
  let requests = 0;
  const { failures, arrived } = await send(invalid, () => (requests++ === 0 ? 422 : 'taken'));
  assert.deepEqual(failures, []);
  assert.equal(arrived.length, invalid.length);
});
