/**
 * One run through what can happen to it: servers that are away, at the start and in the middle; workers that are killed and ended; a machine that loses its
 * power. The senders, on other machines, go on meanwhile. Then every row as the oracles say, and every stage again by a replay.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Installation } from './installation.ts';
import { replaySuite } from './replay-suite.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

/** Slow traffic: it has to be there still when the last fault comes. */
const SECONDS = 90;
const RATE = 0.18;
const EVENTS = SECONDS * RATE * 1_000;
const SIMULATION = ['--seconds', String(SECONDS), '--rate', String(RATE), '--seed', '5'];
const SERVERS = ['postgres', 'mysql', 'registry', 'kafka'] as const;
const AWAY_MS = 2_500;
const SLOTS = 6;
const WORKERS = 3;
const STOP_MS = 10_000;

describe('a run through all faults', { timeout: 14 * 60_000 }, () => {
  let shop: Installation;
  let sources: RoleProcess;
  let run: RoleProcess;
  let sinks: RoleProcess;
  let simulator: RoleProcess;

  before(async () => {
    shop = await Installation.start();
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
  });
  after(() => shop.close());

  const begin = (): RoleProcess[] => {
    sources = shop.role('sources');
    run = shop.role('run', ['--workers', String(WORKERS), '--standby', '1']);
    sinks = shop.role('sinks');
    return [sources, run, sinks];
  };
  const share = (part: number): Promise<void> =>
    until(`${part} of the events`, 120_000, () => (simulator.stats.events ?? 0) >= part * EVENTS);
  const allSlots = (): Promise<void> => until('all slots', 60_000, () => run.stats.slots?.length === SLOTS);
  const revived = (times: number): Promise<void> =>
    until(
      `worker ${times} again`,
      60_000,
      () => run.stats.workers?.restarts === times && run.stats.workers.running === WORKERS,
    );

  /** Process id of the worker that lives under a number now, from its log lines. */
  async function pidOf(worker: number): Promise<number> {
    const lines = (await shop.logOf('run')).split('\n').filter((line) => line.includes(`"worker":${worker},`));
    const pids = lines.flatMap((line) => /"pid":(\d+),"worker":/.exec(line)?.[1] ?? []);
    assert.ok(pids.length > 0, `worker ${worker} has said nothing`);
    return Number(pids.at(-1));
  }

  test('servers are away at the start: each role waits and says for what, then begins', async () => {
    for (const server of SERVERS) await shop.servers.kill(server);
    const roles = begin();
    await until('each role says that it waits', 60_000, async () => {
      const logs = await Promise.all(roles.map(({ name }) => shop.logOf(name)));
      return logs.every((log) => /waiting for|away/i.test(log));
    });
    for (const role of roles) assert.ok(role.running, `${role.name} has ended`);
    await Promise.all([shop.servers.revive('kafka'), shop.servers.revive('mysql'), shop.servers.revive('postgres')]);
    await shop.servers.revive('registry');
    await Promise.all(roles.map((role) => role.ready()));
  });

  test('workers share the slots; one that is killed and one that is ended are started again', async () => {
    await allSlots();
    assert.equal(run.stats.workers?.running, WORKERS);
    simulator = shop.role('simulate', SIMULATION);
    await share(1 / 6);
    process.kill(await pidOf(1), 'SIGKILL');
    await revived(1);
    process.kill(await pidOf(2), 'SIGTERM');
    await revived(2);
    await allSlots();
  });

  test('servers are away in the middle, one after the other: no role ends', async () => {
    for (const [i, server] of SERVERS.entries()) {
      await share((i + 4) / 10);
      assert.ok(!simulator.done, 'nothing was being sent any more');
      await shop.servers.kill(server);
      await sleep(AWAY_MS);
      await shop.servers.revive(server);
    }
    for (const role of [sources, run, sinks]) assert.ok(role.running, `${role.name} has ended`);
  });

  test('a machine loses its power, all of it at once: it goes on where it stopped', async () => {
    await share(0.8);
    assert.ok(!simulator.done, 'nothing was being sent any more');
    const workers = await Promise.all(Array.from({ length: WORKERS }, (_, i) => pidOf(i + 1)));
    for (const pid of workers) process.kill(pid, 'SIGKILL');
    await Promise.all([
      ...[sources, run, sinks].map((role) => role.kill()),
      ...SERVERS.map((server) => shop.servers.kill(server)),
    ]);
    await Promise.all(SERVERS.filter((server) => server !== 'registry').map((server) => shop.servers.revive(server)));
    await shop.servers.revive('registry');
    const roles = begin();
    // Told every two seconds, and less of it once other workers have taken slots with copies.
    const restored = until('state that was restored', 120_000, () => (run.stats.restored ?? 0) > 0);
    await Promise.all([restored, ...roles.map((role) => role.ready())]);
    await until('the simulator', 180_000, () => simulator.done);
    assert.equal(await simulator.exited(), 0);
    assert.ok((simulator.stats.events ?? 0) >= EVENTS, `only ${simulator.stats.events} events`);
  });

  test('an orderly stop ends within seconds; whoever comes later goes on; every row as the oracles say', async () => {
    await allSlots();
    const begun = performance.now();
    await run.stop();
    assert.equal(await run.exited(), 0);
    const took = performance.now() - begun;
    assert.ok(took < STOP_MS, `${took} ms to stop`);
    assert.match(await shop.logOf('run'), /taken with a standby copy/, 'workers that began later had copies');
    run = shop.role('run', ['--workers', '2']);
    await run.ready();
    const verified = await runRole('verify', ['--timeout', '300', '--manifest', shop.manifest], shop.env);
    process.stderr.write(`${verified.output}\nthree workers stopped in ${(took / 1_000).toFixed(1)} s\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    for (const role of [sources, run, sinks]) assert.ok(role.running, `${role.name} has ended`);
  });

  describe('a replay beside it', () => {
    replaySuite(() => ({ shop, roles: [sources, run] }));
  });
});
