/** Workers that keep copies of each other's state, one of them killed: the other one takes over with what its copies lack. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { scratch } from '../state/store-labs.ts';
import { FaultRun, PARTITIONS, type Worker } from './fault-run.ts';
import { killRun } from './kill-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const RECORDS = 20_000;
const PER_SECOND = 1_500;
const ENV = { TEST_STANDBY: '1', SLUICE_LOG: 'info' };
/** Of the changelogs: a copy lacks what was committed in the last moments. */
const FEW = 0.1;

/** Changelog records that a worker restored for each slot that it took with a copy. */
function takeovers({ log }: Worker): number[] {
  return [...log.matchAll(/taken with a standby copy, (\d+) changelog records restored/g)].map(([, n]) => Number(n));
}

const hasCopies = ({ copies }: Worker, slots: readonly number[]): boolean =>
  slots.every((slot) => (copies.get(slot) ?? Infinity) < 1_000);

describe('two workers with standby copies', { timeout: 4 * 60_000 }, () => {
  test('one is killed: the other takes its slots with few records to restore; a new one gets slots with copies; exact', async (t) => {
    const run = new FaultRun('standby', brokers, RECORDS, ENV);
    t.after(() => run.close());
    await run.open();
    // The second gets slots only once it has copies and has asked for them.
    const [first, second] = await run.startAll(2);
    assert.ok(first !== undefined && second !== undefined);
    run.feed(0.4, PER_SECOND);
    await run.until('a third of the input', 60_000, async () => (await run.committed()) > 0.33);
    const victims = first.slots;
    await run.until('copies of what is to be lost', 30_000, () => hasCopies(second, victims));
    run.feed(0.6, PER_SECOND);
    await run.until('an open transaction', 60_000, async () => (await run.openTransactions()).size > 0);
    const before = takeovers(second).length;
    await first.end('SIGKILL');
    const size = await run.changelogSize();
    const taken = (): number[] => takeovers(second).slice(before);
    await run.until('the other to have all slots', 30_000, () => taken().length === victims.length);
    assert.equal(second.slots.length, PARTITIONS);
    const at = await run.committed();
    run.feed(0.8, PER_SECOND);
    await run.until('progress', 30_000, async () => (await run.committed()) > at);
    const restored = taken().reduce((sum, n) => sum + n, 0);
    assert.ok(restored < size * FEW, `${restored} of ${size} changelog records restored`);
    const third = run.start();
    await run.until('the new one to have its share', 60_000, () => takeovers(third).length === PARTITIONS / 2);
    run.feed(1, PER_SECOND);
    await run.finish();
    const { users, minutes } = await run.assertExact(120_000);
    assert.equal(await run.repartitioned(), run.records);
    t.diagnostic(
      `slots ${victims.join(', ')} taken over with ${taken().join(', ')} of ${size} changelog records, the new worker's with ${takeovers(third).join(', ')}; ${users.length} + ${minutes.length} windows exact, seed ${run.seed}`,
    );
  });

  test('one of two killed again and again: 0 duplicates, 0 missing', async (t) => {
    const run = new FaultRun('standby', brokers, 10_000, ENV);
    t.after(() => run.close());
    await killRun(run, { kills: 5, perSecond: 1_200, hasCopies: true });
    const all = run.workers.flatMap(takeovers);
    t.diagnostic(`${all.length} slots taken with a copy, ${all.reduce((sum, n) => sum + n, 0)} records restored then`);
    assert.ok(all.length > 0, 'no slot was taken with a copy');
  });

  test('the same with state on disk, each worker as if on a machine of its own', async (t) => {
    const directory = scratch();
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const run = new FaultRun('standby', brokers, 10_000, (nth) => ({
      ...ENV,
      TEST_STATE_DIR: join(directory, `${nth}`),
    }));
    t.after(() => run.close());
    await killRun(run, { kills: 4, perSecond: 1_200, hasCopies: true });
    const files = run.workers.flatMap(({ log }) => [...log.matchAll(/the file of slot \d+ is its standby copy/g)]);
    t.diagnostic(`${files.length} slots found the file of a copy`);
    assert.ok(files.length > 0, 'no slot was taken with a copy');
  });
});
