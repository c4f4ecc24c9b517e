/** Two versions of an application over a broker in memory: never both. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import {
  buildTopology,
  HINTS_TOPIC,
  originTopic,
  stage,
  startStreamApp,
  type StreamApp,
  topic,
  TopologyError,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { jsonSerdes } from './app-child.ts';

const schema = { name: 'V', definition: { type: 'record', name: 'V', fields: [] } } as const;
const clicks = originTopic<{ user: string }>('clicks', { value: schema, outOfOrderness: '5s', maxAhead: '1h' });
const logger = pino({ level: 'silent' });

function topologyOf(version: string) {
  const output = topic<{ user: string }>(`out-${version}`, { value: schema });
  return buildTopology([stage('copy', (s) => s.stream(clicks).to(output))], { app: 'a' });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

class Versions {
  readonly broker = new FakeKafka();
  readonly fatal = new Map<string, Error[]>();

  async open(): Promise<void> {
    const admin = await this.broker.client().admin();
    await admin.ensureTopics([
      { name: clicks.name, partitions: 6 },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
  }

  async start(t: TestContext, version: string): Promise<StreamApp> {
    const errors: Error[] = [];
    this.fatal.set(version, errors);
    const app = await startStreamApp({
      client: this.broker.client(),
      topology: topologyOf(version),
      serdes: jsonSerdes,
      logger,
      sessionTimeoutMs: 100,
      onFatal: (error) => errors.push(error),
    });
    t.after(() => app.stop());
    return app;
  }
}

test('while the old version runs the new one is refused with what to do, and changes nothing', async (t) => {
  const versions = new Versions();
  await versions.open();
  const old = await versions.start(t, '1');
  await until('the old one has the slots', () => old.stats().slots.length === 6);
  await assert.rejects(versions.start(t, '2'), (error) => {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'SLC_APP_OTHER_EPOCH');
    assert.match(error.hint ?? '', /stop the old version everywhere/);
    return true;
  });
  assert.equal(old.stats().slots.length, 6);
  assert.deepEqual(versions.fatal.get('1'), []);
  // Nothing was written: another worker of the old version starts as ever.
  const more = await versions.start(t, '1');
  await until('they share the slots', () => old.stats().slots.length === 3 && more.stats().slots.length === 3);
});

test('the new version starts as soon as the old one has left', async (t) => {
  const versions = new Versions();
  await versions.open();
  const old = await versions.start(t, '1');
  await until('the old one has the slots', () => old.stats().slots.length === 6);
  const starting = versions.start(t, '2');
  await old.stop();
  const fresh = await starting;
  await until('the new one has the slots', () => fresh.stats().slots.length === 6);
});

test('two versions that start in the same moment: one goes, the other has all slots', async (t) => {
  const versions = new Versions();
  await versions.open();
  const both = await Promise.allSettled([versions.start(t, '1'), versions.start(t, '2')]);
  const errors = (): Error[] => [
    ...[...versions.fatal.values()].flat(),
    ...both.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : [])),
  ];
  await until('one of them to go', () => errors().length > 0);
  assert.ok(errors().every((error) => error instanceof TopologyError && error.code === 'SLC_APP_OTHER_EPOCH'));
  const slots = both.map((one) => (one.status === 'fulfilled' ? one.value.stats().slots.length : 0));
  assert.deepEqual(
    slots.toSorted((a, b) => a - b),
    [0, 6],
  );
});
