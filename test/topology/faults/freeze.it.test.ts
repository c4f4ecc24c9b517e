/**
 * A process that stands still in the middle of a transaction for longer than its session, and goes on: another one has its slots by then. What it was
 * about to commit must not count. With transactional ids of a process it does: the negative control shows that the test would see it.
 */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { FaultRun, PARTITIONS, type Worker } from './fault-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const RECORDS = 15_000;
const PER_SECOND = 1_500;
const STILL_MS = 150;

/** Stops a worker while a transaction of its own is open: one that does not end though everybody else goes on. */
async function freezeInTransaction(run: FaultRun, worker: Worker): Promise<void> {
  const end = Date.now() + 30_000;
  for (;;) {
    await run.until('an open transaction', 20_000, async () => (await run.openTransactions()).size > 0);
    worker.child.kill('SIGSTOP');
    let still = await run.openTransactions();
    for (let nth = 0; nth < 4; nth++) {
      await new Promise((resolve) => setTimeout(resolve, STILL_MS));
      const now = await run.openTransactions();
      still = new Map([...still].filter(([tp, stable]) => now.get(tp) === stable));
    }
    if (still.size > 0) return;
    worker.child.kill('SIGCONT');
    assert.ok(Date.now() < end, 'the worker was never met within a transaction');
  }
}

/** Up to the moment when the frozen one goes on; both runs have this in common. */
async function freeze(t: TestContext, env: NodeJS.ProcessEnv): Promise<{ run: FaultRun; zombie: Worker }> {
  const run = new FaultRun('freeze', brokers ?? '', RECORDS, env);
  t.after(() => run.close());
  await run.open();
  const [zombie, other] = await run.startAll(2);
  assert.ok(zombie && other);
  run.feed(1, PER_SECOND);
  await run.until('a fifth of the input', 60_000, async () => (await run.committed()) > 0.2);
  await freezeInTransaction(run, zombie);
  const at = await run.committed();
  assert.ok(at < 0.8, `frozen too late: at ${at}`);
  await run.until('the other one has all slots', 60_000, () => other.slots.length === PARTITIONS);
  const taken = other.commits;
  await run.until('the other one commits', 60_000, () => other.commits > taken + 20);
  zombie.child.kill('SIGCONT');
  return { run, zombie };
}

describe('a worker that is frozen within a transaction', { timeout: 180_000 }, () => {
  test('is fenced, recovers by itself, and nothing is there twice or missing', async (t) => {
    const { run, zombie } = await freeze(t, {});
    const before = zombie.commits;
    await run.until('the frozen one to be fenced', 30_000, () => zombie.log.includes('SLC_TASK_MIGRATED'));
    await run.until(
      'the frozen one to work again',
      60_000,
      () => zombie.slots.length > 0 && zombie.slots.length < PARTITIONS && zombie.commits > before,
    );
    await run.finish();
    const { users } = await run.assertExact();
    assert.equal(await run.repartitioned(), RECORDS);
    assert.ok(zombie.runs);
    process.stderr.write(`freeze: ${users.length} windows exact, seed ${run.seed}\n`);
  });

  test('negative control: with transactional ids of a process the output is wrong', async (t) => {
    const { run } = await freeze(t, { TEST_ID_PER_PROCESS: '1' });
    let [sent, read] = [0, 0];
    // In this order: what is committed in between makes the second larger, never the first.
    await run.until('something that is there twice', 60_000, async () => {
      sent = await run.repartitioned();
      read = Math.round((await run.committed()) * RECORDS);
      return sent > read;
    });
    process.stderr.write(`negative control: ${sent} records came out of ${read}, seed ${run.seed}\n`);
  });
});
