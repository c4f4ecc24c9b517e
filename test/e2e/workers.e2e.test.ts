/** The stages of the shop in three processes with standby copies: one is killed, one is ended in order, all are stopped; every row as the oracles say. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Installation } from './installation.ts';
import { runRole, until } from './roles.ts';

const SECONDS = 14;
const EVENTS = SECONDS * 1_000;
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '5'];
const SLOTS = 6;
const STOP_MS = 10_000;

describe('sluice run --workers', { timeout: 8 * 60_000 }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start();
  });
  after(() => shop.close());

  /** Process id of the worker that lives under a number now, from its log lines. */
  async function pidOf(worker: number): Promise<number> {
    const lines = (await shop.logOf('run')).split('\n').filter((line) => line.includes(`"worker":${worker},`));
    const pids = lines.flatMap((line) => /"pid":(\d+),"worker":/.exec(line)?.[1] ?? []);
    assert.ok(pids.length > 0, `worker ${worker} has said nothing`);
    return Number(pids.at(-1));
  }

  test('shares the slots, starts dead workers again, stops in order; every row as the oracles say', async () => {
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    const sources = shop.role('sources');
    const run = shop.role('run', ['--workers', '3', '--standby', '1']);
    const sinks = shop.role('sinks');
    await Promise.all([sources.ready(), run.ready(), sinks.ready()]);
    await until('all slots', 60_000, () => run.stats.slots?.length === SLOTS);
    assert.equal(run.stats.workers?.running, 3);
    const simulate = shop.role('simulate', SIMULATION);
    await until('a third of the events', 120_000, () => (simulate.stats.events ?? 0) > EVENTS / 3);
    process.kill(await pidOf(1), 'SIGKILL');
    await until(
      'the killed one again',
      60_000,
      () => run.stats.workers?.restarts === 1 && run.stats.workers.running === 3,
    );
    process.kill(await pidOf(2), 'SIGTERM');
    await until(
      'the ended one again',
      60_000,
      () => run.stats.workers?.restarts === 2 && run.stats.workers.running === 3,
    );
    await until('all slots again', 60_000, () => run.stats.slots?.length === SLOTS);
    await until('the simulator', 180_000, () => simulate.done);

    const begun = performance.now();
    await run.stop();
    assert.equal(await run.exited(), 0);
    const took = performance.now() - begun;
    assert.ok(took < STOP_MS, `${took} ms to stop`);
    assert.match(await shop.logOf('run'), /taken with a standby copy/, 'workers that began later had copies');
    const again = shop.role('run', ['--workers', '2']);
    await again.ready();
    const verified = await runRole('verify', ['--timeout', '150', '--manifest', shop.manifest], shop.env);
    process.stderr.write(`${verified.output}\nthree workers stopped in ${(took / 1_000).toFixed(1)} s\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    for (const role of [sources, again, sinks]) assert.ok(role.running, `${role.name} has ended`);
  });
});
