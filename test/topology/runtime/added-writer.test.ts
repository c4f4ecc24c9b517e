/** An upgrade adds a stage that writes a topic which others write already: windows behind that topic that are out stay out, once (rule 9 of docs/TIME.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { random, type Random } from '#topology/testing';
import { both, copy, counts, Shop, till, web } from './sales-shop.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const RUNS = 20;

describe('a stage that an upgrade adds or changes', () => {
  test('does not open again what has closed: its old records are late there', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 1, 2, 3);
    await shop.sold(till, 1, 3, 7);
    await shop.complete(web, 5);
    const old = await shop.start(copy('web-sales', web), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    await shop.clock.until(old.stop());

    const all = [copy('web-sales', web), copy('till-sales', till), counts];
    let app = await shop.start(...all);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    assert.deepEqual(shop.late(), [1, 3]);
    // A restart forgets nothing of it.
    await shop.clock.until(app.stop());
    await shop.sold(till, 2);
    app = await shop.start(...all);
    await shop.sold(web, 7, 8);
    await shop.sold(till, 8);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1', 'k@7=2', 'k@8=2']);
    assert.deepEqual(shop.late(), [1, 3, 2]);
    await shop.clock.until(app.stop());
  });

  test('nor does a stage that wrote it before and reads one topic more', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 1, 2, 3);
    await shop.sold(till, 1, 3, 7);
    await shop.complete(web, 5);
    const old = await shop.start(copy('web-sales', web), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    await shop.clock.until(old.stop());
    let app = await shop.start(both, counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1']);
    assert.deepEqual(shop.late(), [1, 3]);
    await shop.clock.until(app.stop());
    app = await shop.start(both, counts);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=1', 'k@3=1', 'k@7=1']);
    await shop.clock.until(app.stop());
  });

  test('from the beginning, with the others, nothing of it is late', async () => {
    const shop = new Shop();
    await shop.open();
    await shop.sold(web, 1, 2);
    await shop.sold(till, 1, 2);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    const app = await shop.start(copy('web-sales', web), copy('till-sales', till), counts);
    assert.deepEqual(await shop.rows(), ['k@1=2', 'k@2=2']);
    assert.deepEqual(shop.late(), []);
    await shop.clock.until(app.stop());
  });
});

/** Minutes in order, `from` on: in their own topic they are never late. */
const minutesOf = (g: Random, from: number, to: number): number[] =>
  Array.from({ length: g.int(3, 12) }, () => g.int(from, to)).toSorted((a, b) => a - b);

/** Per minute. */
const countsOf = (minutes: readonly number[]): Map<number, number> =>
  new Map([...Map.groupBy(minutes, (minute) => minute)].map(([minute, all]) => [minute, all.length]));

const parsed = (rows: readonly string[]): Map<number, number> =>
  new Map(rows.map((row) => /@(\d+)=(\d+)/.exec(row)?.slice(1).map(Number) as [number, number]));

/** A live run with an upgrade in the middle, then replays. Returns how many minutes live has otherwise than the replay of all. */
async function upgradeAndReplay(seed: number): Promise<number> {
  const g = random(seed);
  const message = `SLUICE_SEED=${seed}`;
  const shop = new Shop();
  await shop.open();
  const floor = g.int(8, 12);
  const [early, tills] = [minutesOf(g, 1, floor - 1), minutesOf(g, 1, 20)];
  await shop.sold(web, ...early);
  await shop.sold(till, ...tills);
  await shop.complete(web, floor);
  const old = await shop.start(copy('web-sales', web), counts);
  await shop.rows();
  await shop.clock.until(old.stop());

  const stages = g.chance(0.5) ? [copy('web-sales', web), copy('till-sales', till), counts] : [both, counts];
  const app = await shop.start(...stages);
  const later = minutesOf(g, floor, 20);
  await shop.sold(web, ...later);
  for (const topic of [web, till]) await shop.complete(topic, 30);
  const live = await shop.rows();
  const lateLive = shop.late();
  await shop.clock.until(app.stop());

  const all = await shop.replay(stages, 'all', 'all');
  const wanted = countsOf([...early, ...tills, ...later]);
  assert.deepEqual(parsed(all.rows), wanted, `${message}: as from the start`);
  assert.deepEqual(all.late, [], message);
  const beyond = (rows: readonly string[]): [number, number][] =>
    [...parsed(rows)].filter(([minute]) => minute >= floor);
  assert.deepEqual(beyond(live), beyond(all.rows), `${message}: live's beyond the floor`);
  // What live has raised stands in the records: whoever reads them decides as live did.
  const below = await shop.replay(stages, ['counts'], 'below');
  assert.deepEqual([below.rows, below.late], [live, lateLive], `${message}: behind it live's`);
  const had = parsed(live);
  return [...wanted].filter(([minute, n]) => had.get(minute) !== n).length;
}

describe('a replay after such an upgrade needs no floor', () => {
  test('it is as if the stage had been there from the start, and live beyond the floor; behind it all is as live', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${RUNS} runs`);
    let differing = 0;
    for (let seed = FIRST; seed < FIRST + RUNS; seed++) differing += await upgradeAndReplay(seed);
    t.diagnostic(`${differing} minutes were out before the upgrade, and lack in live what it added`);
    assert.ok(differing > RUNS);
  });
});
