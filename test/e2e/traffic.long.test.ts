/**
 * Ten minutes of 3,000 events and 300 changes a second, while a worker is killed twice and another one comes and goes: every row as the oracles say.
 * SLUICE_TRAFFIC_SECONDS: fewer. That one changed bronze row is noticed is shown in test/dev/verify/verify.it.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const SECONDS = Number(process.env['SLUICE_TRAFFIC_SECONDS'] ?? 600);
const RATE = 3;
const EVENTS = SECONDS * RATE * 1_000;
const SIMULATION = ['--seconds', String(SECONDS), '--rate', String(RATE), '--seed', '23'];
const MINUTE_MS = 60_000;
/** Two cores take the events later than they are sent. */
const SENT_MS = 4 * SECONDS * 1_000 + 5 * MINUTE_MS;
const CAUGHT_UP_S = String(4 * SECONDS + 600);
const SLOTS = 6;

describe(`${SECONDS} s of ${RATE},000 events a second`, { timeout: 9 * SECONDS * 1_000 + 20 * MINUTE_MS }, () => {
  let shop: Installation;
  before(async () => {
    shop = await Installation.start();
  });
  after(() => shop.close());

  test('two kills and a rebalance: every row as the oracles say', async (t) => {
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
    assert.equal(prepared.code, 0, prepared.output);
    const others = ['sources', 'sinks'].map((name) => shop.role(name));
    let run = shop.role('run');
    await Promise.all([...others, run].map((role) => role.ready()));
    const begun = Date.now();
    const simulate = shop.role('simulate', SIMULATION);
    const share = (part: number): Promise<void> =>
      until(`${part} of the events`, SENT_MS, () => (simulate.stats.events ?? 0) >= part * EVENTS);
    const kill = async (): Promise<RoleProcess> => {
      await run.kill();
      const next = shop.role('run');
      await until('the slots taken again', 2 * MINUTE_MS, () => next.stats.slots?.length === SLOTS);
      return next;
    };
    await share(0.25);
    run = await kill();
    await share(0.45);
    const second = shop.role('run');
    await until('a share for the second worker', 2 * MINUTE_MS, () => (second.stats.slots?.length ?? 0) > 0);
    await second.stop();
    await share(0.65);
    run = await kill();
    await until('the simulator', SENT_MS, () => simulate.done);
    assert.equal(await simulate.exited(), 0);
    assert.ok((simulate.stats.events ?? 0) >= EVENTS, `only ${simulate.stats.events} events`);
    const sent = (Date.now() - begun) / 1_000;
    const flags = ['--timeout', CAUGHT_UP_S, '--lake', shop.lake, '--manifest', shop.manifest];
    const verified = await runRole('verify', flags, shop.env);
    t.diagnostic(verified.output);
    const took = ((Date.now() - begun) / 1_000).toFixed(0);
    t.diagnostic(`${simulate.stats.events} events sent in ${sent.toFixed(0)} s, verified after ${took} s`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    for (const role of [...others, run]) assert.ok(role.running, `${role.name} has ended`);
  });
});
