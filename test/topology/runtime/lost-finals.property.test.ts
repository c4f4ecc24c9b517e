/**
 * No window is lost and none comes twice: random gaps and jumps of up to 30 days, every kind of window, both time policies, crashes. Kafka Streams loses
 * finals there (it reads closed windows back from a store that has let them expire): its cases are here by name. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  calendarDay,
  calendarMonth,
  count,
  type FixedWindows,
  hopping,
  keyBy,
  session,
  sliding,
  stage,
  streamJoin,
  type TimePolicyName,
  tumbling,
  untilWindowCloses,
  windowedBy,
  type Windows,
} from '#topology';
import { random, type Random, TopologyTestDriver } from '#topology/testing';
import { derived, HOUR, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';

const SEEDS = 50;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const POLICIES: readonly TimePolicyName[] = ['watermark', 'stream-time'];
const GRACE = 5 * MINUTE;
/** A January in Berlin: jumps lead over both changes of the clocks. */
const START = Date.UTC(2026, 0, 10);
/** Later than any window can wait for. */
const LATER = 100 * 24 * HOUR;

const input = origin<number>('input', 1, {}, '0ms');
const out = derived<number>('out', 1);

interface Fact {
  readonly key: string;
  readonly timestamp: number;
}

const grace = '5m' as const;
const kinds: Readonly<Record<string, Windows>> = {
  tumbling: tumbling({ size: '30m', grace }),
  hopping: hopping({ size: '1h', advance: '20m', grace }),
  session: session({ gap: '30m', grace }),
  sliding: sliding({ difference: '30m', grace }),
  day: calendarDay({ timeZone: 'Europe/Berlin', grace }),
  month: calendarMonth({ timeZone: 'Europe/Berlin', grace }),
};

/** How finals are made: by the aggregation itself, or by suppress over its updates. */
type How = 'final' | 'suppress';

const finals = (windows: Windows, how: How) =>
  stage('finals', (s) => {
    const stream = s.stream(input);
    const closed =
      how === 'final'
        ? stream.pipe(windowedBy(windows), count({ store: 'counts' }))
        : stream
            .pipe(windowedBy(windows), count({ store: 'counts', emit: 'updates' }))
            .suppress({ store: 'closed', until: untilWindowCloses() })
            .toStream();
    closed.pipe(keyBy((r) => `${r.key.key}@${r.key.start}/${r.key.end}`)).to(out);
  });

interface Run {
  readonly windows: Windows;
  readonly time: TimePolicyName;
  readonly how: How;
  readonly seed: number;
  readonly crashes: boolean;
}

/** What comes out in the end: `key@start/end=n`, sorted. All windows of the facts close. */
async function run(facts: readonly Fact[], { windows, time, how, seed, crashes }: Run): Promise<string[]> {
  const g = random(seed);
  const driver = await TopologyTestDriver.create({
    stages: [finals(windows, how)],
    serdes: jsonSerdes,
    time,
    seed,
    crashes: crashes ? 0.2 : 0,
  });
  const put = ({ key, timestamp }: Fact): Promise<bigint> =>
    driver.pipeInput(input, { key, value: 1, timestamp, partition: 0 });
  for (const fact of facts) {
    await put(fact);
    if (g.chance(0.5)) await driver.run(g.int(1, 6));
    if (crashes && g.chance(0.1)) driver.crash(0);
  }
  const last = Math.max(...facts.map(({ timestamp }) => timestamp)) + LATER;
  // Without a further record the watermark closes what stream time leaves open.
  if (time === 'watermark') driver.completeUpTo(input, last);
  else await put({ key: 'end', timestamp: last });
  await driver.run();
  assert.deepEqual([driver.late('finals'), driver.deadLetters('finals')], [[], []]);
  return (await driver.output(out)).map(({ key, value }) => `${String(key)}=${String(value)}`).sort();
}

/** Every window that is not empty, by definition. */
function windowsOf(facts: readonly Fact[], windows: Windows): string[] {
  return [...Map.groupBy(facts, ({ key }) => key)]
    .flatMap(([key, own]) => {
      const times = own.map(({ timestamp }) => timestamp).sort((a, b) => a - b);
      const bounds =
        windows.kind === 'session'
          ? sessionsOf(times, windows.gapMs)
          : windows.kind === 'sliding'
            ? slidesOf(times, windows.differenceMs)
            : fixedOf(times, windows);
      return [...bounds].map(([id, n]) => `${key}@${id}=${n}`);
    })
    .sort();
}

function fixedOf(times: readonly number[], windows: FixedWindows): Map<string, number> {
  const found = new Map<string, number>();
  for (const time of times) {
    const bounds: number[] = [];
    windows.windowsOf(time, bounds);
    for (let i = 0; i < bounds.length; i += 2) {
      const id = `${bounds[i]}/${bounds[i + 1]}`;
      found.set(id, (found.get(id) ?? 0) + 1);
    }
  }
  return found;
}

function sessionsOf(times: readonly number[], gap: number): Map<string, number> {
  const found: { start: number; end: number; n: number }[] = [];
  for (const time of times) {
    const last = found.at(-1);
    if (last === undefined || time > last.end + gap) found.push({ start: time, end: time, n: 1 });
    else [last.end, last.n] = [time, last.n + 1];
  }
  return new Map(found.map(({ start, end, n }) => [`${start}/${end}`, n]));
}

function slidesOf(times: readonly number[], d: number): Map<string, number> {
  const ends = new Set(times.flatMap((time) => [time, time + 1 + d]));
  const members = (end: number): number => times.filter((time) => time >= end - d && time <= end).length;
  return new Map([...ends].filter((end) => members(end) > 0).map((end) => [`${end - d}/${end}`, members(end)]));
}

/** Gaps from nothing to 30 days, some records out of order by less than the grace. */
function randomFacts(g: Random): Fact[] {
  let now = START + g.int(0, 24 * HOUR);
  return Array.from({ length: g.int(5, 40) }, () => {
    const jump = g.chance(0.1) ? g.int(0, 30 * 24 * HOUR) : g.chance(0.5) ? g.int(0, 3 * HOUR) : g.int(0, 20 * MINUTE);
    now += g.chance(0.1) ? 30 * MINUTE + g.int(-1, 1) : jump;
    const behind = g.chance(0.3) ? g.int(0, GRACE - 1) : 0;
    return { key: `k${g.int(0, 2)}`, timestamp: now - behind };
  });
}

describe('every window that is not empty comes out once', () => {
  for (const [kind, windows] of Object.entries(kinds)) {
    test(`${kind} windows over random gaps and jumps`, async (t) => {
      t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
      let found = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        const facts = randomFacts(random(seed));
        const wanted = windowsOf(facts, windows);
        for (const time of POLICIES) {
          for (const how of ['final', 'suppress'] as const) {
            const crashes = seed % 2 === 0;
            const rows = await run(facts, { windows, time, how, seed, crashes });
            assert.deepEqual(rows, wanted, `SLUICE_SEED=${seed}: ${time}, ${how}`);
          }
        }
        found += wanted.length;
      }
      t.diagnostic(`${found} windows`);
      assert.ok(found > SEEDS);
    });
  }
});

describe('what Kafka Streams 4.1 loses', () => {
  const every = (minutes: number): Fact[] =>
    Array.from({ length: 20 }, (_, i) => ({ key: 'k', timestamp: START + i * minutes * MINUTE }));
  for (const [name, windows, minutes] of [
    ['session gap 30 min, grace 5 min, an event every hour: 0 of 19', kinds['session'], 60],
    ['tumbling 30 min, grace 5 min, an event every 40 minutes: 13 of 19', kinds['tumbling'], 40],
    ['tumbling 30 min, grace 5 min, an event every 50 minutes: 7 of 19', kinds['tumbling'], 50],
    ['tumbling 30 min, grace 5 min, an event every hour: 0 of 19', kinds['tumbling'], 60],
  ] as const) {
    test(name, async () => {
      assert.ok(windows !== undefined);
      for (const time of POLICIES) {
        const facts = every(minutes);
        const driver = await TopologyTestDriver.create({
          stages: [finals(windows, 'final')],
          serdes: jsonSerdes,
          time,
        });
        for (const { key, timestamp } of facts) {
          await driver.pipeInput(input, { key, value: 1, timestamp, partition: 0 });
          await driver.run();
        }
        // The last one is still open: nothing has come after it.
        assert.equal((await driver.output(out)).length, 19, time);
        assert.equal(driver.counts().late, 0);
      }
    });
  }

  test('the last window, when traffic stops: closed by what the source says, and a replay agrees about what comes later', async () => {
    const windows = tumbling({ size: '30m', grace });
    const live = await TopologyTestDriver.create({ stages: [finals(windows, 'final')], serdes: jsonSerdes });
    const put = (driver: TopologyTestDriver, timestamp: number): Promise<bigint> =>
      driver.pipeInput(input, { key: 'k', value: 1, timestamp, partition: 0 });
    await put(live, START);
    await live.run();
    assert.equal((await live.output(out)).length, 0);
    live.completeUpTo(input, START + HOUR);
    await live.run();
    assert.equal((await live.output(out)).length, 1);
    await put(live, START + MINUTE);
    await live.run();
    assert.equal(live.late('finals').length, 1);
    const replay = await TopologyTestDriver.create({
      stages: [finals(windows, 'final')],
      serdes: jsonSerdes,
      pins: live.pins(),
    });
    await put(replay, START);
    await put(replay, START + MINUTE);
    await replay.run();
    assert.deepEqual(await replay.output(out), await live.output(out));
    assert.deepEqual(replay.late('finals'), live.late('finals'));
  });
});

describe('what Kafka Streams 4.1 emits at once: a record of a left or outer join that is too late', () => {
  const right = origin<number>('right', 1, {}, '0ms');
  for (const join of ['left', 'outer'] as const) {
    test(`${join} join: goes to the late topic by watermark, leaves alone at once under stream-time`, async () => {
      const within = { before: '1m', after: '1m' } as const;
      const joined = stage('joined', (s) => {
        const one = s.stream(input);
        const pairs =
          join === 'left'
            ? one.pipe(streamJoin(s.stream(right), (l) => l, { within, grace: '0s', store: 'pairs', join: 'left' }))
            : one.pipe(
                streamJoin(s.stream(right), (l) => l ?? 0, { within, grace: '0s', store: 'pairs', join: 'outer' }),
              );
        pairs.to(out);
      });
      for (const [time, late, rows] of [
        ['watermark', 1, 0],
        ['stream-time', 0, 1],
      ] as const) {
        const driver = await TopologyTestDriver.create({ stages: [joined], serdes: jsonSerdes, time });
        for (const timestamp of [START + HOUR, START]) {
          await driver.pipeInput(input, { key: 'k', value: 1, timestamp, partition: 0 });
          await driver.run();
        }
        assert.equal(driver.late('joined').length, late, time);
        assert.equal((await driver.output(out)).length, rows, time);
      }
    });
  }
});
