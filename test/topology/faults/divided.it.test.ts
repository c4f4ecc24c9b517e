/** A project as two applications in processes of their own, of which one or the other is killed: what comes out is what one would give. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FaultRun, PARTITIONS, type Worker } from './fault-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const RECORDS = 12_000;
const PER_SECOND = 1_200;
const KILLS = 6;
const FIRST = 0.2;
const STEP = 0.1;
const PARTS = { totals: ['minutes'] };

/** The applications: the rest has the repartition topic and the windows per user, the part sums what those write. */
class Applications {
  readonly run: FaultRun;
  readonly workers = new Map<string, Worker>();

  constructor(run: FaultRun) {
    this.run = run;
  }

  get names(): readonly string[] {
    return [this.run.app, `${this.run.app}.totals`];
  }

  start(name: string): void {
    this.workers.set(name, this.run.start({ TEST_RUNS: name }));
  }

  async hasSlots(name: string): Promise<void> {
    await this.run.until(`all slots in ${name}`, 60_000, () => {
      const worker = this.workers.get(name);
      assert.ok(worker?.runs, `${name} has ended by itself: ${worker?.log}`);
      return worker.slots.length === PARTITIONS;
    });
  }

  async kill(name: string): Promise<void> {
    await this.workers.get(name)?.end('SIGKILL');
  }
}

/** Of both in turn, so that each is away while the other goes on. */
async function killInTurn(apps: Applications): Promise<void> {
  const { run } = apps;
  const [rest = '', part = ''] = apps.names;
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = kill % 2 === 0 ? part : rest;
    await apps.hasSlots(victim);
    run.feed(FIRST + STEP * (kill + 0.5), PER_SECOND);
    await run.until('an open transaction', 60_000, async () => (await run.openTransactions()).size > 0);
    const at = await run.committed();
    await apps.kill(victim);
    run.feed(FIRST + STEP * (kill + 1), PER_SECOND);
    // Who is behind does not hold back who is before it; nothing moves when the first is away.
    if (victim === part) await run.until('progress without the part', 60_000, async () => (await run.committed()) > at);
    apps.start(victim);
    await run.until('progress after the kill', 60_000, async () => (await run.committed()) > at);
  }
}

describe('two applications of one project', { timeout: 4 * 60_000 }, () => {
  test('each killed in turn: 0 duplicates, 0 missing, and a stage is run by one of them', async (t) => {
    const run = new FaultRun('divided', brokers, RECORDS, {}, PARTS);
    t.after(() => run.close());
    await run.open();
    const apps = new Applications(run);
    for (const name of apps.names) apps.start(name);
    for (const name of apps.names) await apps.hasSlots(name);
    run.feed(FIRST, PER_SECOND);
    await run.until('a tenth of the input', 120_000, async () => (await run.committed()) > 0.1);
    await killInTurn(apps);
    // Somebody who forgets the division is refused while they run, and changes nothing.
    const whole = run.start({ TEST_PARTS: '{}' });
    assert.equal(await whole.exited, 1);
    assert.match(whole.log, /SLC_APP_STAGE_OWNER/);
    run.feed(1, PER_SECOND);
    await run.finish();
    const { users, minutes } = await run.assertExact(120_000);
    assert.equal(await run.repartitioned(), RECORDS);
    for (const name of apps.names)
      assert.equal(await apps.workers.get(name)?.end('SIGTERM'), 0, `${name} ends in order`);
    t.diagnostic(`${KILLS} kills, ${users.length} + ${minutes.length} windows exact, seed ${run.seed}`);
  });
});
