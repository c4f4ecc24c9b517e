/**
 * Counts that are kept in panes are those of their windows by definition: whatever comes late for some of its windows, closes between commits, or crashes.
 * SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { count, type FixedWindows, hopping, keyBy, stage, untilWindowCloses, windowedBy } from '#topology';
import { random, type Random, TopologyTestDriver } from '#topology/testing';
import { derived, HOUR, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';

const SEEDS = 120;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const PARTITIONS = 2;
const START = Date.UTC(2026, 0, 10);

const input = origin<number>('input', PARTITIONS, {}, '0ms');
const out = derived<number>('out', PARTITIONS);
const closed = derived<number>('closed', PARTITIONS);

const kinds: Readonly<Record<string, FixedWindows>> = {
  'two panes': hopping({ size: '1h', advance: '30m', grace: '0s' }),
  'four panes': hopping({ size: '1h', advance: '15m', grace: '20m' }),
  'no panes, too many': hopping({ size: '1h', advance: '5m', grace: '5m' }),
};

interface Fact {
  readonly key: string;
  readonly timestamp: number;
  readonly partition: number;
}

function randomFacts(g: Random): Fact[] {
  const now = Array.from({ length: PARTITIONS }, () => START + g.int(0, HOUR));
  return Array.from({ length: g.int(10, 60) }, () => {
    const partition = g.int(0, PARTITIONS - 1);
    const at = (now[partition] ?? 0) + (g.chance(0.1) ? g.int(0, 3 * HOUR) : g.int(0, 20 * MINUTE));
    now[partition] = at;
    const behind = g.chance(0.4) ? g.int(0, 100 * MINUTE) : 0;
    return { key: `k${g.int(0, 2)}`, timestamp: at - behind, partition };
  });
}

/** A record counts in the windows that end later than its partition's clock minus the grace (TIME.md rule 5). */
function byDefinition(facts: readonly Fact[], windows: FixedWindows): { rows: Record<string, number>; late: number } {
  const clocks = new Map<number, number>();
  const rows: Record<string, number> = {};
  let late = 0;
  for (const { key, timestamp, partition } of facts) {
    const ow = Math.max(clocks.get(partition) ?? -Infinity, timestamp);
    clocks.set(partition, ow);
    const bounds: number[] = [];
    windows.windowsOf(timestamp, bounds);
    for (let i = 0; i < bounds.length; i += 2) {
      const end = bounds[i + 1] ?? 0;
      const id = `${key}@${bounds[i]}/${end}`;
      if (ow >= end + windows.graceMs) late++;
      else rows[id] = (rows[id] ?? 0) + 1;
    }
  }
  return { rows, late };
}

const counts = (windows: FixedWindows) =>
  stage('counts', (s) => {
    const table = s.stream(input).pipe(
      keyBy((r) => r.key, { name: 'again' }),
      windowedBy(windows),
      count({ store: 'counts', emit: 'updates' }),
    );
    const named = keyBy<{ key: string; start: number; end: number }, number, string>(
      (r) => `${r.key.key}@${r.key.start}/${r.key.end}`,
    );
    table.toStream().pipe(named).to(out);
    table.suppress({ store: 'until-closed', until: untilWindowCloses() }).toStream().pipe(named).to(closed);
  });

describe('counts in panes are those of their windows', () => {
  for (const [name, windows] of Object.entries(kinds)) {
    test(`${name}, out of order, late, with crashes`, async (t) => {
      t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
      let [found, lates] = [0, 0];
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        const g = random(seed);
        const facts = randomFacts(g);
        const wanted = byDefinition(facts, windows);
        const crashes = seed % 2 === 0 ? 0.2 : 0;
        const driver = await TopologyTestDriver.create({
          stages: [counts(windows)],
          serdes: jsonSerdes,
          seed,
          crashes,
        });
        for (const { key, timestamp, partition } of facts) {
          await driver.pipeInput(input, { key, value: 1, timestamp, partition });
          if (g.chance(0.4)) await driver.run(g.int(1, 6));
          if (crashes > 0 && g.chance(0.1)) driver.crash(g.int(0, PARTITIONS - 1));
        }
        driver.completeUpTo(input, START + 1_000 * HOUR);
        await driver.run();
        const why = `SLUICE_SEED=${seed}`;
        const last = new Map<unknown, number>();
        for (const { key, value } of await driver.output(out)) {
          assert.ok(Number(value) > (last.get(key) ?? 0), `${why}: ${String(key)} is said again`);
          last.set(key, Number(value));
        }
        assert.deepEqual(Object.fromEntries(await driver.table(out)), wanted.rows, `${why}: updates`);
        assert.equal(driver.late('counts').length, wanted.late, `${why}: late`);
        const finals = (await driver.output(closed)).map(({ key, value }) => `${String(key)}=${String(value)}`);
        const all = Object.entries(wanted.rows).map(([id, n]) => `${id}=${n}`);
        assert.deepEqual(finals.sort(), all.sort(), `${why}: each once when it closes`);
        found += all.length;
        lates += wanted.late;
      }
      t.diagnostic(`${found} windows, ${lates} times late`);
      assert.ok(found > SEEDS && lates > SEEDS);
    });
  }
});
