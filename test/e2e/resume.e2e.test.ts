/** kill -9 of everything at once, as a machine that loses its power: all of it goes on where it stopped. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const SECONDS = 12;
const EVENTS = SECONDS * 1_000;
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '3'];
const SERVERS = ['kafka', 'mysql', 'postgres', 'registry'] as const;
const ROLES = ['sources', 'run', 'sinks'] as const;

describe('a machine that loses its power', { timeout: 8 * 60_000 }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start();
  });
  after(() => shop.close());

  async function startRoles(): Promise<RoleProcess[]> {
    const roles = ROLES.map((name) => shop.role(name));
    await Promise.all(roles.map((role) => role.ready()));
    return roles;
  }

  test('everything goes on where it stopped: every row as the oracles say', async () => {
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    const first = await startRoles();
    const interrupted = shop.role('simulate', SIMULATION);
    await until('half of the events', 120_000, () => (interrupted.stats.events ?? 0) > EVENTS / 2);
    await Promise.all([
      ...[...first, interrupted].map((role) => role.kill()),
      ...SERVERS.map((server) => shop.servers.kill(server)),
    ]);

    await Promise.all(SERVERS.filter((server) => server !== 'registry').map((server) => shop.servers.revive(server)));
    await shop.servers.revive('registry');
    const second = await startRoles();
    const simulate = shop.role('simulate', SIMULATION);
    await until('the simulator', 180_000, () => simulate.done);
    const verified = await runRole('verify', ['--timeout', '150'], shop.env);
    process.stderr.write(`${verified.output}\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    const run = second.find(({ name }) => name === 'run');
    assert.ok((run?.stats.restored ?? 0) > 0, 'no state was restored');
    for (const role of second) assert.ok(role.running, `${role.name} has ended`);
  });
});
