/** A batch is a replay: every stage of the shop, run again over what live has read, gives what live gave (docs/SEMANTICS.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ReplayRequest, SluiceError } from '#topology';
import { random, type Random } from '#topology/testing';
import { ByteViewer } from '../../dev/inspect/show-bytes.ts';
import { type TopicVerdict, verifyReplay } from '../../dev/verify/replay/verify-replay.ts';
import { DAY, makeDump, START } from '../oracles/synthetic.ts';
import { LiveShop } from './live-shop.ts';
import { complete } from './shop-dump.ts';

const SEEDS = 2;
const FIRST = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const PIECES = 6;

const everything = (id: string): ReplayRequest => ({ id, stages: 'all', from: 'earliest', to: 'now' });

/** Runs it to its end, killed a few times on the way. */
async function replay(shop: LiveShop, request: ReplayRequest, kills: number): Promise<number> {
  for (let killed = 0; killed < kills; killed++) {
    const { run, kill } = await shop.startReplay(request);
    await shop.someTime();
    const isDone = await Promise.race([run.done, shop.someTime().then(() => false)]);
    if (isDone) return killed;
    await kill();
  }
  const { run } = await shop.startReplay(request);
  assert.equal(await run.done, true);
  assert.deepEqual(shop.fatal, []);
  return kills;
}

async function verified(shop: LiveShop, id: string): Promise<TopicVerdict[]> {
  const { client, topology: live } = shop;
  const viewer = new ByteViewer(undefined);
  return (await verifyReplay({ client, live, id, viewer, timeoutMs: 30_000, progress: () => undefined })).verdicts;
}

const rowsOf = (verdicts: readonly TopicVerdict[]): number =>
  verdicts.reduce((sum, { comparison }) => sum + (comparison?.rows ?? 0), 0);

function checkEqual(verdicts: readonly TopicVerdict[], seed: number): void {
  for (const { topic, equal, comparison, notCompared } of verdicts) {
    assert.notEqual(equal, false, `SLUICE_SEED=${seed}: ${topic}: ${JSON.stringify(comparison)} ${notCompared}`);
  }
}

/** Live with crashes and rebalances; a replay in the middle, while it goes on. */
async function liveRun(shop: LiveShop, g: Random): Promise<void> {
  await shop.open();
  let process = await shop.start();
  for (let piece = 1; piece <= PIECES; piece++) {
    await shop.feed(piece / PIECES);
    await shop.someTime();
    const event = g.int(0, 3);
    if (event <= 1) {
      await process.kill();
      process = await shop.start();
    } else if (event === 2) {
      const other = await shop.start();
      await shop.someTime();
      await other.app.stop();
    }
    if (piece === 4) await replay(shop, everything('mid'), 1);
  }
  await shop.settle();
}

async function withShop(seed: number, work: (shop: LiveShop, g: Random) => Promise<void>): Promise<void> {
  const g = random(seed);
  const shop = new LiveShop(complete(makeDump(seed)), g);
  try {
    await work(shop, g);
  } finally {
    await shop.close();
  }
}

describe('replay of the shop', () => {
  test('equals live, with crashes and rebalances on both sides, and while live goes on', async (t) => {
    const counts = new Map<string, number>();
    const count = (what: string, rows: number): unknown => counts.set(what, (counts.get(what) ?? 0) + rows);
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      await withShop(seed, async (shop, g) => {
        await liveRun(shop, g);
        await replay(shop, everything('v2'), 3);
        const whole = await verified(shop, 'v2');
        checkEqual(whole, seed);
        for (const { kind, topic, upper, comparison } of whole) {
          assert.equal(upper, 'all', `SLUICE_SEED=${seed}: ${topic}`);
          assert.equal(comparison?.beyond, 0, `SLUICE_SEED=${seed}: ${topic}`);
          count(kind, comparison?.rows ?? 0);
        }
        const mid = await verified(shop, 'mid');
        checkEqual(mid, seed);
        count('while live went on', rowsOf(mid));
        count(
          'beyond its horizon',
          mid.reduce((sum, { comparison }) => sum + (comparison?.beyond ?? 0), 0),
        );
        await replay(shop, { ...everything('tail'), from: { time: START + DAY } }, 1);
        const tail = await verified(shop, 'tail');
        checkEqual(tail, seed);
        count('from the middle', rowsOf(tail));
        await replay(shop, { ...everything('head'), to: { time: START + 2 * DAY } }, 1);
        const head = await verified(shop, 'head');
        checkEqual(head, seed);
        assert.ok(rowsOf(head) < rowsOf(whole), `SLUICE_SEED=${seed}: ${rowsOf(head)} rows`);
        count('up to the middle', rowsOf(head));
        await replay(
          shop,
          { ...everything('one'), stages: ['gold.top_selling_items', 'silver.pageviews_by_items'] },
          1,
        );
        const one = await verified(shop, 'one');
        checkEqual(one, seed);
        count('single stages', rowsOf(one));
      });
    }
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds, rows: ${JSON.stringify(Object.fromEntries(counts))}`);
    for (const [what, rows] of counts) assert.ok(rows > SEEDS, `${what}: ${rows} rows show little`);
  });

  test('what cannot be is refused, with a hint; a finished replay is not run again', async () => {
    await withShop(FIRST, async (shop, g) => {
      await shop.open();
      const refused = (request: ReplayRequest, code: string): Promise<void> =>
        assert.rejects(shop.startReplay(request), (error) => {
          return error instanceof SluiceError && error.code === code && error.hint !== undefined;
        });
      await refused({ ...everything('v2'), stages: ['gold.none'] }, 'SLC_REPLAY_STAGE');
      await refused({ ...everything('v2'), stages: ['gold.sales_perf_24h'] }, 'SLC_REPLAY_EMPTY');
      await refused(everything('v2'), 'SLC_REPLAY_EMPTY');
      await assert.rejects(verified(shop, 'v2'), { code: 'SLC_REPLAY_UNKNOWN' });
      await shop.start();
      await shop.feed(0.5);
      await shop.settle();
      await refused({ ...everything('v2'), stages: ['gold.sales_perf_24h'], to: { time: START } }, 'SLC_REPLAY_RANGE');

      const { kill } = await shop.startReplay(everything('v2'));
      await kill();
      await assert.rejects(verified(shop, 'v2'), { code: 'SLC_REPLAY_UNFINISHED' });
      await refused({ ...everything('v2'), stages: ['silver.users'] }, 'SLC_REPLAY_CHANGED');
      await refused({ ...everything('v2'), from: { offset: BigInt(g.int(1, 9)) } }, 'SLC_REPLAY_CHANGED');
      await replay(shop, everything('v2'), 0);
      const { run } = await shop.startReplay(everything('v2'));
      assert.equal(await run.done, true);
      assert.deepEqual(run.progress().done, run.progress().total);
    });
  });

  test('a changed output record is named', async () => {
    await withShop(FIRST, async (shop, g) => {
      await liveRun(shop, g);
      await replay(shop, everything('v2'), 0);
      const changed = await shop.rewriteLast('gold.sales_perf_24h');
      const wrong = (await verified(shop, 'v2')).filter(({ equal }) => equal !== true);
      assert.deepEqual(
        wrong.map(({ topic }) => topic),
        ['gold.sales_perf_24h'],
      );
      const [{ comparison }] = wrong as [TopicVerdict];
      assert.equal(comparison?.differing, 1);
      assert.equal(comparison.wrong[0]?.identity, `key ${changed}`);
      assert.deepEqual(
        comparison.wrong[0]?.columns?.map(({ column }) => column),
        ['(timestamp)'],
      );
    });
  });
});
