import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createSinkRunner,
  type Logger,
  NotReadyError,
  RecordError,
  type Serde,
  type SinkRunner,
  type SinkRunnerOptions,
  systemClock,
  textSerde,
  topic,
} from '#topology';
import { random } from '../../../topology/testing/random.ts';
import { seedOf } from '../../connectors/sink.contract.ts';
import { MemoryTarget } from './memory-sink.ts';
import { SmallKafka } from './small-kafka.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const PARTITIONS = 3;
const a = topic('gold.a', { value: { name: 'a', definition: {} }, partitions: PARTITIONS });
const b = topic('gold.b', { value: { name: 'b', definition: {} }, partitions: 2 });

/** Text, but 'broken...' is none, and 'later...' needs something fetched first. */
class TestSerde implements Serde<unknown> {
  readonly #ready = new Set<string>();
  waits = 0;
  serialize = (value: unknown): Uint8Array => textSerde.serialize(String(value));
  deserialize(bytes: Uint8Array): unknown {
    const text = textSerde.deserialize(bytes);
    if (text.startsWith('broken')) throw new RecordError('SLC_RECORD_DECODE', `${text} is no value`);
    if (text.startsWith('later') && !this.#ready.has(text)) {
      this.waits += 1;
      const ready = new Promise<void>((resolve) => setImmediate(resolve)).then(() => void this.#ready.add(text));
      throw new NotReadyError(text, ready);
    }
    return text;
  }
}

interface World {
  readonly kafka: SmallKafka;
  readonly target: MemoryTarget;
  readonly serde: TestSerde;
  runner(more?: Partial<SinkRunnerOptions>): SinkRunner;
  end(): Promise<void>;
}

function world(): World {
  const kafka = new SmallKafka();
  const target = new MemoryTarget();
  const serde = new TestSerde();
  const runners: SinkRunner[] = [];
  kafka.create('gold.a', PARTITIONS);
  kafka.create('gold.b', 2);
  return {
    kafka,
    target,
    serde,
    runner(more = {}) {
      const runner = createSinkRunner({
        client: kafka.client(),
        app: 'shop',
        stage: { name: 'test', topics: [a, b], sink: target.sink() },
        serdes: { open: async () => serde as unknown as Serde<never> },
        logger: silent,
        limits: { lingerMs: 1, positionMs: 1 },
        ...more,
      });
      runners.push(runner);
      return runner;
    },
    end: async () => void (await Promise.all(runners.map((runner) => runner.stop()))),
  };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const numbers = (from: number, to: number, key = (n: number) => `k${n}`) =>
  Array.from({ length: to - from }, (_, i) => [key(from + i), `v${from + i}`] as const);
const atEnd = ({ kafka, target }: World): boolean =>
  [
    ...Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 'gold.a', partition })),
    { topic: 'gold.b', partition: 0 },
  ].every((tp) => (target.held.get(`${tp.topic}/${tp.partition}`)?.next ?? 0n) === kafka.log(tp).end);
const once = (history: readonly string[]): void => {
  assert.equal(new Set(history).size, history.length, 'something was written twice');
  const last = new Map<string, number>();
  for (const each of history) {
    const [tp = '', offset] = each.split('@');
    assert.ok(Number(offset) > (last.get(tp) ?? -1), `${each} came after ${last.get(tp)}`);
    last.set(tp, Number(offset));
  }
};

test('the target gets every record once, in order, and its position moves over markers', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.kafka.append('gold.a', 0, numbers(0, 10));
  w.kafka.log({ topic: 'gold.a', partition: 0 }).skip();
  w.kafka.append('gold.b', 1, [
    ['x', '1'],
    ['x', null],
    ['y', '2'],
  ]);
  const runner = w.runner();
  await runner.start();
  await until(
    'the first records are there',
    () => w.target.held.get('gold.a/0')?.next === 11n && w.target.rows.has('y'),
  );
  w.kafka.append('gold.a', 0, numbers(10, 20));
  w.kafka.log({ topic: 'gold.a', partition: 0 }).skip();
  await until(
    'the rest is there',
    () => w.target.held.get('gold.a/0')?.next === 22n && runner.stats().lagRecords === 0,
  );
  assert.deepEqual([...w.target.rows.keys()].sort(), [...numbers(0, 20).map(([key]) => key), 'y'].sort());
  once(w.target.history);
  assert.deepEqual([runner.stats().rows, runner.stats().lagMs], [23, 0]);
});

test('a target that is away after its first records: their age is the lag', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.kafka.append('gold.a', 0, numbers(0, 10));
  const runner = w.runner();
  await runner.start();
  await until('the first records are there', () => runner.stats().rows === 10);
  w.target.away = true;
  w.kafka.append('gold.a', 0, numbers(10, 20));
  await until('it waits', () => runner.stats().waitingFor !== undefined);
  assert.ok(runner.stats().lagMs > 0, String(runner.stats().lagMs));
  w.target.away = false;
  await until('the rest is there', () => runner.stats().rows === 20 && runner.stats().lagMs === 0);
});

test('a target or a broker that is away, at start and in the middle, is waited for; nothing is lost or doubled', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.target.away = true;
  w.kafka.append('gold.a', 0, numbers(0, 50));
  const runner = w.runner();
  const started = runner.start();
  await until('it says for what', () => runner.stats().waitingFor === 'the target is away');
  w.target.away = false;
  await started;
  await until('all is there', () => w.target.rows.size === 50);
  await until('it waits for nothing', () => runner.stats().waitingFor === undefined);
  w.target.away = true;
  w.kafka.append('gold.a', 1, numbers(50, 100));
  await until('it says for what', () => runner.stats().waitingFor === 'the target is away');
  w.kafka.away = true;
  w.target.away = false;
  await until('it says for what', () => runner.stats().waitingFor === 'the broker is away');
  w.kafka.away = false;
  await until('all is there', () => w.target.rows.size === 100 && runner.stats().waitingFor === undefined);
  once(w.target.history);
});

test('topics that do not exist yet are waited for by name', async (t) => {
  const w = world();
  t.after(() => w.end());
  const c = topic('gold.c', { value: { name: 'c', definition: {} }, partitions: 1 });
  const runner = w.runner({ stage: { name: 'test', topics: [c], sink: w.target.sink() } });
  const started = runner.start();
  await until('it says for what', () => runner.stats().waitingFor?.includes('gold.c') === true);
  w.kafka.create('gold.c', 1);
  w.kafka.append('gold.c', 0, numbers(0, 1));
  await started;
  await until('it is there', () => w.target.rows.size === 1);
});

test('a commit whose answer is lost is neither repeated nor skipped', async (t) => {
  const w = world();
  t.after(() => w.end());
  const next = random(seedOf('lost answers'));
  w.target.loseAnswer = () => next.chance(0.2);
  for (let i = 0; i < 30; i += 1) w.kafka.append('gold.a', i % PARTITIONS, numbers(i * 10, i * 10 + 10));
  await w.runner({ random: () => 0 }).start();
  await until('all is there', () => atEnd(w));
  assert.equal(w.target.history.length, 300);
  once(w.target.history);
});

test('records that cannot be read or written go to the dead letters as they were, before the position moves', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.kafka.refusesSends = true;
  w.kafka.append('gold.a', 2, [
    ['k0', 'v0'],
    ['k1', 'broken 1'],
    ['k2', 'poison'],
    ['k3', 'v3'],
    [null, 'broken 4'],
  ]);
  w.kafka.create('sink.test.dlq', 3);
  const runner = w.runner();
  await runner.start();
  await until('the dead letters are tried', () => runner.stats().waitingFor === 'no leader');
  assert.equal(w.target.held.get('gold.a/2')?.next, null);
  w.kafka.refusesSends = false;
  await until('it goes on', () => w.target.held.get('gold.a/2')?.next === 5n);
  assert.deepEqual([...w.target.rows.keys()], ['k0', 'k3']);
  const letters = w.kafka.readBack('sink.test.dlq');
  assert.deepEqual(
    letters.map(({ key, value, headers }) => [key, value, headers['code'], headers['source.offset']]),
    [
      ['k1', 'broken 1', 'SLC_RECORD_DECODE', '1'],
      [null, 'broken 4', 'SLC_RECORD_DECODE', '4'],
      ['k2', 'poison', 'SLC_RECORD_TEST', '2'],
    ],
  );
  const [first] = letters;
  assert.equal(first?.headers['stage'], 'sink.test');
  assert.equal(first?.headers['source.topic'], 'gold.a');
  assert.equal(first?.headers['source.partition'], '2');
  assert.match(first?.headers['reason'] ?? '', /broken 1 is no value/);
});

test('a schema that must be fetched first is waited for, in order', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.kafka.append('gold.a', 0, [
    ['k0', 'v0'],
    ['k1', 'later 1'],
    ['k2', 'v2'],
    ['k3', 'later 3'],
  ]);
  await w.runner().start();
  await until('all is there', () => w.target.held.get('gold.a/0')?.next === 4n);
  assert.equal(w.serde.waits, 2);
  assert.equal(w.target.rows.get('k3'), 'later 3');
  once(w.target.history);
});

test('runners that come, go and are expelled while records flow write every record once', async (t) => {
  const w = world();
  t.after(() => w.end());
  const next = random(seedOf('runners that come and go'));
  w.target.beforeCommit = () => new Promise((resolve) => setTimeout(resolve, next.int(0, 3)));
  w.target.loseAnswer = () => next.chance(0.02);
  const runners: SinkRunner[] = [];
  let written = 0;
  for (let round = 0; round < 120; round += 1) {
    const count = next.int(0, 8);
    w.kafka.append('gold.a', next.int(0, PARTITIONS - 1), numbers(written, written + count + 1));
    written += count + 1;
    const dice = next.next();
    if (runners.length < 2 || (dice < 0.1 && runners.length < 4)) {
      const runner = w.runner({
        random: () => next.next() / 10,
        limits: { lingerMs: 1, positionMs: 1, maxRecords: 5 },
      });
      runners.push(runner);
      await runner.start();
    } else if (dice < 0.2) {
      await runners.splice(next.int(0, runners.length - 1), 1)[0]?.stop();
    } else if (dice < 0.25) {
      w.kafka.expel(next.int(0, w.kafka.members - 1));
    }
    await new Promise((resolve) => setTimeout(resolve, next.int(0, 5)));
  }
  await until('all is there', () => atEnd(w));
  assert.equal(w.target.history.length, written);
  once(w.target.history);
  assert.ok([...w.target.held.values()].reduce((sum, held) => sum + held.epoch, 0) > 40, 'hardly any change of owner');
});

test('a slow target holds reading back: what waits stays within the budget', async (t) => {
  const w = world();
  t.after(() => w.end());
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  w.target.beforeCommit = () => gate;
  for (let i = 0; i < 200; i += 1) w.kafka.append('gold.a', 0, numbers(i * 10, i * 10 + 10));
  const runner = w.runner({ limits: { lingerMs: 1, positionMs: 1, maxRecords: 50, maxQueuedBytes: 2_000 } });
  await runner.start();
  await until('reading pauses', () => w.kafka.paused.has('gold.a/0'));
  assert.equal(runner.stats().rows, 0);
  release();
  await until('all is there', () => atEnd(w));
  assert.equal(w.kafka.paused.size, 0);
  once(w.target.history);
});

test('records that were deleted before they were written stop that partition with a word, not the others', async (t) => {
  const w = world();
  t.after(() => w.end());
  w.target.held.set('gold.a/0', { epoch: 1, next: 3n });
  w.kafka.append('gold.a', 0, numbers(0, 10));
  w.kafka.append('gold.a', 1, numbers(10, 20));
  w.kafka.starts.set('gold.a/0', 5n);
  const runner = w.runner();
  await runner.start();
  await until('the other is written', () => w.target.held.get('gold.a/1')?.next === 10n);
  await until('it says so', () => /gold\.a\/0 from offset 3, Kafka has 5 to 10/.test(runner.stats().waitingFor ?? ''));
  assert.equal(w.target.held.get('gold.a/0')?.next, 3n);
});

test('stop ends though a write hangs, and leaves the group', async () => {
  const w = world();
  let hangs = false;
  w.target.beforeCommit = () => {
    hangs = true;
    return new Promise(() => undefined);
  };
  w.kafka.append('gold.a', 0, numbers(0, 10));
  const impatient = { ...systemClock, sleep: (ms: number, s?: AbortSignal) => systemClock.sleep(Math.min(ms, 50), s) };
  const runner = w.runner({ clock: impatient });
  await runner.start();
  await until('a write hangs', () => hangs);
  await runner.stop();
  assert.equal(w.kafka.members, 0);
});
