/** A flash sale of full size: 60 s of event time with 50 times the live traffic, most of it about one item, as fast as it is taken; every row is right. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Installation } from './installation.ts';
import { runRole, until } from './roles.ts';

const SECONDS = 120;
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '11', '--flash-sale', '60'];

describe('a flash sale', { timeout: 20 * 60_000 }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start();
  });
  after(() => shop.close());

  test('30,000 events in a minute are absorbed: every row as the oracles say', async (t) => {
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    const roles = ['sources', 'run', 'sinks'].map((name) => shop.role(name));
    await Promise.all(roles.map((role) => role.ready()));
    const simulate = shop.role('simulate', SIMULATION);
    await until('the simulator', 10 * 60_000, () => simulate.done);
    assert.equal(await simulate.exited(), 0);
    assert.ok((simulate.stats.events ?? 0) >= SECONDS * 1_000, `only ${simulate.stats.events} events`);
    const flags = ['--min-rows', '20', '--timeout', '600', '--lake', shop.lake, '--manifest', shop.manifest];
    const verified = await runRole('verify', flags, shop.env);
    t.diagnostic(verified.output);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
  });
});
