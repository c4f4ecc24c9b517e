/** A stage may keep its state otherwise than its application: in memory, on disk, with a budget of its own; and otherwise the next time. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import {
  asOfJoin,
  BatchBuilder,
  buildTopology,
  ConfigError,
  count,
  HINTS_TOPIC,
  keyBy,
  partitionFor,
  session,
  type Stage,
  stage,
  type StageOptions,
  startStreamApp,
  type StreamApp,
  TopologyError,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';
import { openSlotState, stateSettings } from '../../../topology/runtime/slot-state.ts';
import { keyId } from '../../../topology/state/key-codec.ts';
import type { StoreSpec } from '../../../topology/state/store.ts';
import { utf8 } from '../../../topology/utf8.ts';
import { derived, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';
import { scratch } from '../state/store-labs.ts';
import { readJson } from './read-json.ts';

const PARTITIONS = 2;
const KEYS = 40;
const LONGEST_MS = 60_000;
const clicks = origin<number>('clicks', PARTITIONS, {}, '0s');
const prices = origin<number>('prices', PARTITIONS, {}, '0s');
const outputs = {
  sessions: derived<number>('sessions', PARTITIONS),
  minutes: derived<number>('minutes', PARTITIONS),
  priced: derived<string>('priced', PARTITIONS),
} as const;
const quiet = pino({ level: 'silent' });

/** Stores of all kinds that can lie above a file. */
function stagesOf(options: StageOptions): Stage[] {
  return [
    stage('sessions', options, (s) => {
      s.stream(clicks)
        .pipe(
          windowedBy(session({ gap: '5m', grace: '0s' })),
          count({ store: 'sessions' }),
          keyBy((r) => `${r.key.key}@${r.key.start / MINUTE}`),
        )
        .to(outputs.sessions);
    }),
    stage('minutes', (s) => {
      s.stream(clicks)
        .pipe(
          windowedBy(tumbling({ size: '1m', grace: '0s' })),
          count({ store: 'minutes' }),
          keyBy((r) => `${r.key.key}@${r.key.start / MINUTE}`),
        )
        .to(outputs.minutes);
    }),
    stage('priced', options, (s) => {
      s.stream(clicks)
        .pipe(
          asOfJoin(s.table(prices, { store: 'prices' }), (n, price) => `${n}*${price}`, {
            store: 'waiting',
            join: 'left',
            grace: '0s',
            tableGrace: '10m',
          }),
        )
        .to(outputs.priced);
    }),
  ];
}

/** One installation, whose settings may change from start to start. */
class Installation {
  readonly clock = new VirtualClock(1_000_000);
  readonly broker = new FakeKafka({ clock: this.clock });
  readonly root = scratch();
  readonly fatal: Error[] = [];
  readonly said: string[] = [];
  #minute = 0;
  #sent = 0;
  #app: StreamApp | undefined;

  async open(t: TestContext): Promise<void> {
    t.after(() => rmSync(this.root, { recursive: true, force: true }));
    const admin = await this.broker.client().admin();
    const topics = [clicks, prices].map(({ name }) => ({ name, partitions: PARTITIONS }));
    await admin.ensureTopics([...topics, { name: HINTS_TOPIC, partitions: 1 }]);
  }

  async start(options: StageOptions, stages: 'memory' | 'disk' = 'disk'): Promise<StreamApp> {
    const keep = (_: unknown, text?: string): void => void this.said.push(text ?? '');
    this.#app = await this.clock.until(
      startStreamApp({
        client: this.broker.client(),
        topology: buildTopology(stagesOf(options), { app: 'each' }),
        serdes: jsonSerdes,
        logger: { debug: () => undefined, info: keep, warn: keep, error: keep },
        clock: this.clock,
        state: { directory: this.root, budgetBytes: 5 * 2 ** 20, checkpointMs: 0, stages },
        options: { tickMs: 1 },
        onFatal: (error) => this.fatal.push(error),
      }),
      LONGEST_MS,
    );
    return this.#app;
  }

  /** Some minutes of records of every key, and prices that change. */
  async feed(minutes: number): Promise<void> {
    const producer = await this.broker.client().producer();
    for (const end = this.#minute + minutes; this.#minute < end; this.#minute++) {
      for (let k = 0; k < KEYS; k++) {
        const key = Buffer.from(`k${k}`);
        const partition = partitionFor(key, PARTITIONS);
        for (const topic of (k + this.#minute) % 9 < 7 ? [clicks, prices] : [prices]) {
          const batch = new BatchBuilder();
          batch.append(key, Buffer.from(String(this.#sent++)), this.#minute * MINUTE + k);
          await producer.send([{ topic: topic.name, partition, batch }]);
        }
      }
    }
  }

  async settle(): Promise<void> {
    const app = this.#app;
    const settled = async (): Promise<void> => {
      while ((await app?.settled()) !== true) await this.clock.sleep(20);
    };
    await this.clock.until(settled(), LONGEST_MS);
    assert.deepEqual(this.fatal, []);
  }

  async stop(): Promise<void> {
    if (this.#app !== undefined) await this.clock.until(this.#app.stop(), LONGEST_MS);
    this.#app = undefined;
  }

  rows(): string[] {
    const all = Object.values(outputs).flatMap(({ name }) =>
      Array.from({ length: PARTITIONS }, (_, p) =>
        readJson(this.broker, name, p).map((row) => JSON.stringify([name, row])),
      ),
    );
    return all.flat().toSorted();
  }
}

/** Starts with one setting after the other. */
async function rowsOf(
  t: TestContext,
  settings: readonly (readonly [StageOptions, 'memory' | 'disk'])[],
): Promise<{ readonly rows: string[]; readonly said: string[]; readonly restored: number[] }> {
  const installation = new Installation();
  await installation.open(t);
  const restored: number[] = [];
  for (const [options, stages] of settings) {
    const app = await installation.start(options, stages);
    await installation.feed(12);
    await installation.settle();
    restored.push(app.stats().restored);
    await installation.stop();
  }
  return { rows: installation.rows(), said: installation.said, restored };
}

describe('state per stage', () => {
  test('changes from start to start, and the results are the same', async (t) => {
    const disk = [{ state: 'disk' }, 'disk'] as const;
    const memory = [{ state: 'memory' }, 'disk'] as const;
    const asApp = [{}, 'memory'] as const;
    const onlyThese = [{ state: 'disk', stateBudgetBytes: 2 ** 20 }, 'memory'] as const;
    const changing = await rowsOf(t, [disk, memory, disk, asApp, onlyThese, onlyThese, memory, memory]);
    const same = await rowsOf(t, [disk, disk, disk, disk, disk, disk, disk, disk]);
    assert.ok(same.rows.length > 1_000);
    assert.deepEqual(changing.rows, same.rows);
    assert.deepEqual(
      same.restored.map((n) => n > 0),
      [false, false, false, false, false, false, false, false],
      'who goes on as before has its checkpoint',
    );
    assert.deepEqual(
      changing.restored.map((n) => n > 0),
      [false, true, true, true, true, false, true, false],
      'who goes on otherwise restores, once',
    );
  });

  test('a store is where its stage says, else where the application says; its budget is that of its stage', async (t) => {
    const root = scratch();
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const own = stage('own', { state: 'disk', stateBudgetBytes: 2 ** 21 }, (s) => s.table(prices, { store: 'a' }));
    const settings = stateSettings({ app: 'a', stages: [own] }, { directory: root, stages: 'memory' });
    const identity = { app: 'a', epoch: 'e', partition: 0 };
    const clock = new VirtualClock();
    const state = await openSlotState(settings, identity, {
      clock,
      logger: quiet,
      signal: new AbortController().signal,
    });
    const kindOf = (name: string, of: StoreSpec['of']): string | undefined =>
      state.makeStore({ name, kind: 'key-value', ...(of && { of }) }, `${name}-changelog`).constructor.name;
    assert.equal(kindOf('a', { stage: 'own', place: 'disk' }), 'PersistentKeyValueStore');
    assert.equal(kindOf('b', { stage: 'other', place: 'disk' }), 'PersistentKeyValueStore');
    assert.equal(kindOf('c', { stage: 'other', place: 'memory' }), 'MemoryKeyValueStore');
    assert.equal(kindOf('d', { stage: 'other' }), 'MemoryKeyValueStore');
    const before = settings.budget.used;
    state.restore('a', Buffer.from('k'), Buffer.alloc(10_000));
    assert.ok((settings.own?.get('own')?.used ?? 0) > 10_000);
    assert.equal(settings.budget.used, before);
    state.restore('b', Buffer.from('k'), Buffer.alloc(10_000));
    assert.ok(settings.budget.used > before + 10_000);
    state.close(false);
  });

  test('what was left on disk under another setting is not used again: it would lack deletions', async (t) => {
    const root = scratch();
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const settings = stateSettings({ app: 'a', stages: [] }, { directory: root });
    const identity = { app: 'a', epoch: 'e', partition: 0 };
    const { signal } = new AbortController();
    const begins: bigint[] = [];
    for (const place of ['disk', 'disk', 'memory', 'memory', 'disk'] as const) {
      const state = await openSlotState(settings, identity, { clock: new VirtualClock(), logger: quiet, signal });
      state.makeStore({ name: 'a', kind: 'session', of: { stage: 's', place } }, 'a-changelog');
      begins.push(state.begin('a', { start: 0n, end: 9n }, () => undefined));
      state.restore('a', utf8(keyId({ key: 'k', start: 1, end: 2 })), Buffer.from('x'), () => undefined);
      state.reached('a', 5n);
      state.close(true);
    }
    assert.deepEqual(begins, [0n, 5n, 0n, 5n, 0n]);
  });

  test('on disk it needs a directory, and a budget is for state on disk', async () => {
    const broker = new FakeKafka();
    const starting = startStreamApp({
      client: broker.client(),
      topology: buildTopology(stagesOf({ state: 'disk' }), { app: 'none' }),
      serdes: jsonSerdes,
      logger: quiet,
      onFatal: assert.fail,
    });
    await assert.rejects(starting, (error: ConfigError) => error.code === 'SLC_STATE_DIRECTORY');
    for (const wrong of [{ state: 'memory', stateBudgetBytes: 2 ** 24 }, { stateBudgetBytes: 5 }] as const) {
      assert.throws(
        () => stagesOf(wrong),
        (error: TopologyError) => error.code === 'SLC_STAGE_BUDGET',
      );
    }
  });

  test('describe() tells it; the epoch is the same', () => {
    const [memory, disk, none] = [{ state: 'memory' }, { state: 'disk' }, {}].map((options) =>
      buildTopology(stagesOf(options as StageOptions), { app: 'each' }),
    );
    assert.match(memory?.describe() ?? '', /store sessions \(session, in memory/);
    assert.match(disk?.describe() ?? '', /store sessions \(session, on disk/);
    assert.deepEqual([memory?.epoch, disk?.epoch], [none?.epoch, none?.epoch]);
  });
});
