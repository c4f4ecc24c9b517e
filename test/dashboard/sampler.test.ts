/** What a snapshot says of parts that answer, fail, hang and come back. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { type Probes, Sampler } from '../../dashboard/sampler.ts';
import type { PartNow, Snapshot } from '../../dashboard/index.ts';
import { FakeProbe, gold, sinks, streams } from './fakes.ts';

describe('sampler', () => {
  const running: Sampler[] = [];
  afterEach(() => running.splice(0).forEach((sampler) => sampler.stop()));

  function samplerOf(probes: Probes, onSnapshot: (snapshot: Snapshot) => void = () => undefined): Sampler {
    const sampler = new Sampler({ app: 'shop', probes, stepMs: 5, onSnapshot });
    running.push(sampler);
    sampler.start();
    sampler.watch(true);
    return sampler;
  }
  const part = (sampler: Sampler, name: string): PartNow =>
    sampler.snapshot.parts.find((each) => each.name === name) ?? assert.fail(`no part ${name}`);
  async function until(what: string, condition: () => boolean): Promise<void> {
    const end = Date.now() + 30_000;
    while (!condition()) {
      assert.ok(Date.now() < end, what);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  test('all is up: sources, processes and sinks are parts, too', async () => {
    const sampler = samplerOf({
      streams: new FakeProbe('Kafka', streams(2)),
      sinks: new FakeProbe('Sinks', sinks),
      gold: new FakeProbe('PostgreSQL', gold),
    });
    await until(
      'all up',
      () => sampler.snapshot.parts.every(({ state }) => state === 'up') && sampler.snapshot.gold.length > 0,
    );
    assert.deepEqual(
      sampler.snapshot.parts.map(({ name }) => name),
      ['Kafka', 'PostgreSQL', 'collector', 'Stages', 'Sinks'],
    );
    assert.equal(part(sampler, 'Stages').detail, '2 processes, 6 slots');
    const { bronze, silver, gold: golden, lagMs } = sampler.snapshot.history;
    assert.deepEqual([bronze, silver, golden, lagMs], [3 * 2, 2 * 2, 2 * 2, 5_000]);
  });

  test('what fails is down with its reason, keeps its last answer, and comes back', async () => {
    const kafka = new FakeProbe('Kafka', streams(2));
    const sampler = samplerOf({ streams: kafka });
    await until('up', () => part(sampler, 'Kafka').state === 'up');
    kafka.answer = new AggregateError([new Error('connect ECONNREFUSED\n at somewhere')], '');
    await until('down', () => part(sampler, 'Kafka').state === 'down');
    assert.equal(part(sampler, 'Kafka').detail, 'connect ECONNREFUSED');
    assert.deepEqual([part(sampler, 'Stages').state, part(sampler, 'collector').state], ['unknown', 'unknown']);
    assert.equal(sampler.snapshot.streams?.topics[0]?.perSecond, 2);
    assert.ok(kafka.resets > 0, 'its connection is thrown away');
    const points = sampler.history.length;
    kafka.answer = streams(9);
    await until('up again', () => part(sampler, 'Kafka').state === 'up' && sampler.snapshot.history.bronze === 27);
    assert.ok(sampler.history.length > points);
  });

  test('what hangs is down after its time, and is asked again', async () => {
    const kafka = new FakeProbe<ReturnType<typeof streams>>('Kafka', 'hangs');
    const sampler = samplerOf({ streams: kafka });
    await until('down', () => part(sampler, 'Kafka').state === 'down');
    assert.equal(part(sampler, 'Kafka').detail, 'no answer within 0.3 s');
    await until('asked again', () => kafka.asked >= 2);
  });

  test('one part that is down holds up no other', async () => {
    const postgres = new FakeProbe<typeof gold>('PostgreSQL', 'hangs');
    const seen: number[] = [];
    const kafka = new FakeProbe('Kafka', streams(1));
    samplerOf({ streams: kafka, gold: postgres }, ({ history }) => seen.push(history.at));
    await until('three answers of Kafka', () => new Set(seen).size >= 1 && kafka.asked >= 3);
  });

  test('a silent source, stages that nobody runs, a sink that nobody carries', async () => {
    const now = Date.now();
    const sampler = samplerOf({
      streams: new FakeProbe('Kafka', {
        ...streams(1),
        writers: [{ name: 'collector', at: now - 60_000 }],
        workers: { members: 0, slots: 0 },
      }),
      sinks: new FakeProbe('Sinks', [
        { name: 'warehouse', behind: null, members: 1, problem: 'connection refused' },
        { name: 'lake', behind: 1, members: 0, problem: null },
      ]),
    });
    await until('known', () => part(sampler, 'Sinks').state === 'down' && part(sampler, 'Stages').state === 'down');
    assert.equal(part(sampler, 'Stages').detail, 'no process runs them');
    assert.equal(part(sampler, 'Sinks').detail, 'warehouse: connection refused; lake: no process carries it');
    assert.deepEqual([part(sampler, 'collector').state, part(sampler, 'collector').since], ['down', now - 60_000]);
  });
});
