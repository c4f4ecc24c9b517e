import assert from 'node:assert/strict';
import type { FaultRun } from './fault-run.ts';
import type { OwnBroker } from './own-broker.ts';

/**
 * The broker ends by SIGTERM, by SIGKILL, and stays away for `awayMs`, all while 20 to 80 % of the input is committed. Nobody but the broker is started
 * again; then every window is there once, with the right number.
 */
export async function brokerRun(
  run: FaultRun,
  broker: OwnBroker,
  { awayMs, perSecond }: { readonly awayMs: number; readonly perSecond: number },
): Promise<void> {
  await run.open();
  const workers = await run.startAll(2);
  const faults: readonly (readonly [share: number, end: () => Promise<void>, ms: number])[] = [
    [0.25, () => broker.stop(), 0],
    [0.45, () => broker.kill(), 0],
    [0.6, () => broker.kill(), awayMs],
  ];
  const told: string[] = [];
  for (const [share, end, ms] of faults) {
    run.feed(share + 0.1, perSecond);
    await run.until(`${share} of the input`, 60_000, async () => (await run.committed()) >= share);
    const at = await run.committed();
    assert.ok(at > 0.2 && at < 0.8, `at ${at}`);
    await end();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await broker.revive();
    const back = Date.now();
    run.feed(share + 0.15, perSecond);
    await run.until('progress after the fault', 60_000, async () => (await run.committed()) > at);
    told.push(`${Math.round(at * 100)} %: on after ${((Date.now() - back) / 1_000).toFixed(1)} s`);
  }
  run.feed(1, 5 * perSecond);
  await run.finish();
  await run.assertExact();
  assert.equal(await run.repartitioned(), run.records);
  for (const worker of workers) assert.ok(worker.runs, `a worker has ended by itself:\n${worker.log}`);
  process.stderr.write(`broker gone at ${told.join('; ')}; exact, seed ${run.seed}\n`);
}
