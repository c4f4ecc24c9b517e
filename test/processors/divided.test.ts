/**
 * The shop in several applications, upstream and downstream of the rest, each killed now and then: the tools that look at it see all of them as one project,
 * its replay is live's, and a user is erased from the state of whoever has it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applicationsOf, type Parts, type ReplayRequest } from '#topology';
import { random } from '#topology/testing';
import { UserErasure } from '../../dev/erase/erase.ts';
import { Catalogue } from '../../dev/inspect/catalogue.ts';
import { Clocks } from '../../dev/inspect/clocks.ts';
import { stageLags } from '../../dev/inspect/lag.ts';
import { ByteViewer } from '../../dev/inspect/show-bytes.ts';
import { AppProgress } from '../../dev/verify/progress.ts';
import { verifyReplay } from '../../dev/verify/replay/verify-replay.ts';
import { makeDump } from '../oracles/synthetic.ts';
import { optionsOf } from '../dev/erase/busy-shop.ts';
import { LiveShop } from './live-shop.ts';
import { complete } from './shop-dump.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const PIECES = 5;
const PARTS: Parts = {
  items: ['silver.items'],
  fraud: ['gold.login_anomalies'],
  customers: ['gold.customer_behaviour', 'gold.user_engagement_segments'],
};

async function liveRun(shop: LiveShop, seed: number): Promise<void> {
  const g = random(seed);
  await shop.open();
  const apps = applicationsOf(shop.topology);
  const running = new Map<string, Awaited<ReturnType<LiveShop['start']>>>();
  for (const app of apps.toReversed()) running.set(app, await shop.start(app));
  for (let piece = 1; piece <= PIECES; piece++) {
    await shop.feed(piece / PIECES);
    await shop.someTime();
    const victim = apps[g.int(0, apps.length - 1)] ?? '';
    await running.get(victim)?.kill();
    await shop.someTime();
    running.set(victim, await shop.start(victim));
  }
  await shop.settle();
}

async function replayed(shop: LiveShop, request: ReplayRequest): Promise<void> {
  const { run } = await shop.startReplay(request);
  assert.equal(await run.done, true);
  assert.deepEqual(shop.fatal, []);
}

const deadline = (): number => Date.now() + 30_000;

/** Of applications of their own: their promises are in ledgers of their own. */
const PROMISED = ['silver.items', 'gold.login_anomalies'];

/** What verify waits for. */
async function waitsFor(shop: LiveShop): Promise<string | undefined> {
  const progress = new AppProgress(shop.client, await shop.client.admin(), shop.topology);
  const wanted = new Map(PROMISED.map((topic) => [topic, 0]));
  return (
    (await progress.records()) ?? (await progress.hints(deadline())) ?? (await progress.promised(wanted, deadline()))
  );
}

describe('the shop in several applications', () => {
  test('is one project for lag, verify, replay and erasure', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}`);
    const shop = new LiveShop(complete(makeDump(FIRST)), random(FIRST), undefined, PARTS);
    t.after(() => shop.close());
    await liveRun(shop, FIRST);
    const { client, topology: live } = shop;
    const admin = await client.admin();

    // Lag: every task of every application, none behind, clocks across ledgers.
    const lags = stageLags(await Clocks.read(client, admin, live, deadline()));
    assert.deepEqual(
      lags.filter(({ behind }) => behind > 0).map(({ stage, partition }) => `${stage}/${partition}`),
      [],
    );
    assert.deepEqual(
      lags.filter(({ watermark }) => watermark === -Infinity).map(({ stage, partition }) => `${stage}/${partition}`),
      [],
    );
    assert.equal(new Set(lags.map(({ stage }) => stage)).size, live.stages.length);
    const catalogue = new Catalogue(live, []);
    for (const app of applicationsOf(live)) assert.equal(catalogue.of(`${app}.watermarks`).kind, 'ledger');
    assert.equal(await waitsFor(shop), undefined);

    // Replays: of all, and of what reads another application's topics.
    await replayed(shop, { id: 'whole', stages: 'all', from: 'earliest', to: 'now' });
    await replayed(shop, {
      id: 'some',
      stages: ['gold.login_anomalies', 'gold.order_trends'],
      from: 'earliest',
      to: 'now',
    });
    for (const id of ['whole', 'some']) {
      const viewer = new ByteViewer(undefined);
      const { verdicts } = await verifyReplay({
        client,
        live,
        id,
        viewer,
        timeoutMs: 30_000,
        progress: () => undefined,
      });
      assert.ok(verdicts.length > 0);
      for (const { topic, equal, comparison, upper } of verdicts) {
        assert.equal(equal, true, `SLUICE_SEED=${FIRST}: ${id}: ${topic}: ${JSON.stringify(comparison)}`);
        assert.equal(upper, 'all', `SLUICE_SEED=${FIRST}: ${id}: ${topic}`);
      }
    }
  });

  test('a user is erased from the state of the applications that have it, while they run', async (t) => {
    const shop = new LiveShop(complete(makeDump(FIRST)), random(FIRST), undefined, PARTS);
    t.after(() => shop.close());
    await liveRun(shop, FIRST);
    const told: Record<string, number> = {};
    for (let user = 1; user <= 6; user++) {
      const erasure = await UserErasure.open(await optionsOf(shop, String(user)));
      const holdings = await erasure.holdings().catch(() => undefined);
      if (holdings === undefined) continue;
      const erased = await erasure.erase(holdings);
      for (const [store, n] of Object.entries(erased.stores)) told[store] = (told[store] ?? 0) + n;
      const after = await (await UserErasure.open(await optionsOf(shop, String(user)))).holdings();
      assert.deepEqual(
        [Object.values(after.stores).filter((n) => n > 0), Object.values(after.topics).filter((n) => n > 0)],
        [[], []],
      );
    }
    t.diagnostic(`SLUICE_SEED=${FIRST}: ${JSON.stringify(told)}`);
    assert.ok(
      Object.values(told).some((n) => n > 0),
      'nobody had anything',
    );
    await shop.settle();
    assert.deepEqual(shop.fatal, []);
  });
});
