/** Sequences of records: by hand, and on random logs against the definition, with crashes and over several partitions. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keyBy, keyValueStore, matchSequence, partitionFor, process, sorted, stage } from '#topology';
import { random, type Random, type TestDriverOptions, TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

interface Login {
  readonly id: string;
  readonly user: string;
  readonly is: 'ok' | 'failed' | 'reset';
}
const PARTITIONS = 3;
const OUT_OF_ORDERNESS = 5;
const GRACE = 4;
const WITHIN = 30;
const EVERY = 20;
const FIRST = Number(globalThis.process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const SEEDS = 30;

const logins = origin<Login>('logins', PARTITIONS, {}, `${OUT_OF_ORDERNESS}ms`);
const alerts = derived<string>('alerts', PARTITIONS);
const totals = derived<string>('totals', PARTITIONS);

const anomalies = stage('alerts', (s) => {
  s.stream(logins)
    .pipe(
      keyBy((r) => r.value.user),
      matchSequence(
        {
          steps: [{ where: (login) => login.is === 'failed', times: 2 }, { where: (login) => login.is === 'ok' }],
          unless: (login) => login.is === 'reset',
          within: `${WITHIN}ms`,
          grace: `${GRACE}ms`,
          store: 'anomalies',
          maxOpen: 3,
        },
        (values) => values.map(({ id }) => id).join(),
      ),
    )
    .to(alerts);
});

const counted = stage('totals', (s) => {
  const stores = { counts: keyValueStore<string, string>('ids') };
  s.stream(logins)
    .pipe(
      keyBy((r) => r.value.user, { name: 'by-user' }),
      sorted({ store: 'totals-waiting', grace: `${GRACE}ms` }),
      process<string, Login, string, string, typeof stores>(
        { name: 'totals', stores, eventTimeEvery: `${EVERY}ms` },
        (context) => ({
          process: ({ key, value, timestamp }) => {
            const ids = `${context.stores.counts.get(key) ?? ''}${value.id} `;
            context.stores.counts.put(key, ids);
            if (value.is === 'reset') context.forward({ key, value: `${ids}reset`, timestamp });
          },
          onEventTime: (time) => {
            for (const [key, ids] of context.stores.counts.entries())
              context.forward({ key, value: `${ids}${time}`, timestamp: time });
          },
        }),
      ),
    )
    .to(totals);
});

interface Put {
  readonly partition: number;
  readonly key: string;
  readonly value: Login;
  readonly timestamp: number;
}

function inputs(seed: number): Put[] {
  const g = random(seed);
  let now = 100;
  return Array.from({ length: 90 }, (_, i) => {
    now += g.int(0, 6);
    const behind = g.chance(0.3) ? g.int(0, 2 * OUT_OF_ORDERNESS + 2) : 0;
    const is = g.chance(0.5) ? 'failed' : g.chance(0.8) ? 'ok' : 'reset';
    const value: Login = { id: `e${i}`, user: `u${g.int(0, 2)}`, is };
    return { partition: g.int(0, PARTITIONS - 1), key: value.id, value, timestamp: now - behind };
  });
}

/** Records in time, in (timestamp, partition, offset) order: what every task must have seen. */
function inOrder(all: readonly Put[]): Put[] {
  const clocks = new Map<number, number>();
  const inTime = all.filter(({ partition, timestamp }) => {
    const ow = Math.max(clocks.get(partition) ?? -Infinity, timestamp - OUT_OF_ORDERNESS);
    clocks.set(partition, ow);
    return ow <= timestamp + GRACE;
  });
  return inTime
    .map((put, at) => ({ put, at }))
    .sort((a, b) => a.put.timestamp - b.put.timestamp || a.put.partition - b.put.partition || a.at - b.at)
    .map(({ put }) => put);
}

function expectedAlerts(all: readonly Put[]): string[] {
  const found: string[] = [];
  for (const [user, own] of Map.groupBy(inOrder(all), ({ value }) => value.user)) {
    let begun: Put[][] = [];
    for (const put of own) {
      if (put.value.is === 'reset') begun = [];
      const wants = ['failed', 'failed', 'ok'];
      const alive = [...begun.filter(([first]) => put.timestamp - (first?.timestamp ?? 0) <= WITHIN), []];
      const next = alive.map((taken) => (wants[taken.length] === put.value.is ? [...taken, put] : taken));
      const done = next.find((taken) => taken.length === 3);
      if (done !== undefined) found.push(`${user} ${done.map(({ value }) => value.id).join()} @${put.timestamp}`);
      begun = done === undefined ? next.filter((taken) => taken.length > 0).slice(-3) : [];
    }
  }
  return found.sort();
}

const rows = async (driver: TopologyTestDriver, topic: typeof alerts): Promise<string[]> =>
  (await driver.output(topic))
    .map(({ key, value, timestamp }) => `${String(key)} ${String(value)} @${timestamp}`)
    .sort();

async function run(
  options: Partial<TestDriverOptions>,
  all: readonly Put[],
  between: (driver: TopologyTestDriver) => Promise<void>,
): Promise<TopologyTestDriver> {
  const driver = await TopologyTestDriver.create({ stages: [anomalies, counted], serdes: jsonSerdes, ...options });
  for (const put of all) {
    await driver.pipeInput(logins, put);
    await between(driver);
  }
  driver.completeUpTo(logins, Math.max(...all.map(({ timestamp }) => timestamp)) + 100);
  await driver.run();
  return driver;
}

describe('matchSequence and process behind sorted()', () => {
  test('records that no step takes may lie between; late ones go to the late topic', async () => {
    const at = (id: string, is: Login['is'], timestamp: number): Put => {
      return {
        partition: partitionFor(Buffer.from('u'), PARTITIONS),
        key: id,
        value: { id, user: 'u', is },
        timestamp,
      };
    };
    const driver = await run(
      {},
      [at('b', 'failed', 20), at('a', 'failed', 18), at('c', 'ok', 40), at('d', 'ok', 41), at('z', 'failed', 10)],
      async () => undefined,
    );
    assert.deepEqual(await rows(driver, alerts), ['u a,b,c @40']);
    assert.deepEqual(
      driver.late('alerts').map(({ timestamp }) => timestamp),
      [10],
    );
  });

  test('every schedule, crashes or none, finds what the definition finds', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let found = 0;
    let crashes = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const all = inputs(seed);
      const wanted = expectedAlerts(all);
      const calm = await run({ seed }, all, async () => undefined);
      const g: Random = random(seed);
      const stormy = await run({ seed: seed + 1, crashes: 0.3 }, all, async (driver) => {
        if (g.chance(0.5)) await driver.run(g.int(1, 12));
        if (!g.chance(0.2)) return;
        driver.crash(g.int(0, PARTITIONS - 1));
        crashes++;
      });
      assert.deepEqual(await rows(calm, alerts), wanted, `SLUICE_SEED=${seed}`);
      assert.deepEqual(await rows(stormy, alerts), wanted, `SLUICE_SEED=${seed}, crashes`);
      assert.deepEqual(await rows(stormy, totals), await rows(calm, totals), `SLUICE_SEED=${seed}, punctuation`);
      assert.deepEqual(stormy.deadLetters('totals'), []);
      for (let p = 0; p < PARTITIONS; p++) assert.equal(calm.store('anomalies', p).size, 0, 'ends are forgotten');
      found += wanted.length + (await rows(calm, totals)).length;
    }
    t.diagnostic(`${found} rows, ${crashes} crashes besides lost commits`);
    assert.ok(found > 10 * SEEDS && crashes > SEEDS);
  });
});
