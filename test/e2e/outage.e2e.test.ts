/** Every server is away, at the start and in the middle: each role waits, says for what, goes on by itself, and nothing is lost. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Installation } from './installation.ts';
import { runRole, until } from './roles.ts';

const SECONDS = 12;
const EVENTS = SECONDS * 1_000;
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '11'];
const SERVERS = ['postgres', 'mysql', 'registry', 'kafka'] as const;
const AWAY_MS = 2_500;

describe('servers that are away', { timeout: 8 * 60_000 }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start();
  });
  after(() => shop.close());

  test('at the start and in the middle: waited for by name, then every row as the oracles say', async () => {
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    for (const server of SERVERS) await shop.servers.kill(server);
    const roles = ['sources', 'run', 'sinks'].map((name) => shop.role(name));
    await until('each role says that it waits', 60_000, async () => {
      const logs = await Promise.all(roles.map(({ name }) => shop.logOf(name)));
      return logs.every((log) => /waiting for|away/i.test(log));
    });
    for (const role of roles) assert.ok(role.running, `${role.name} has ended`);
    await Promise.all([shop.servers.revive('kafka'), shop.servers.revive('mysql'), shop.servers.revive('postgres')]);
    await shop.servers.revive('registry');
    await Promise.all(roles.map((role) => role.ready()));

    const simulate = shop.role('simulate', SIMULATION);
    for (const [i, server] of SERVERS.entries()) {
      const share = (i + 1) / (SERVERS.length + 1);
      await until(`${share} of the events`, 120_000, () => (simulate.stats.events ?? 0) >= share * EVENTS);
      await shop.servers.kill(server);
      await sleep(AWAY_MS);
      await shop.servers.revive(server);
    }
    await until('the simulator', 180_000, () => simulate.done);
    assert.equal(await simulate.exited(), 0);
    const verified = await runRole('verify', ['--timeout', '150', '--manifest', shop.manifest], shop.env);
    process.stderr.write(`${verified.output}\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    for (const role of roles) assert.ok(role.running, `${role.name} has ended`);
  });
});
