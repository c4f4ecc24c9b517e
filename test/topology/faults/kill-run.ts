import assert from 'node:assert/strict';
import { type Minute, type UserMinute } from '../runtime/app-child.ts';
import { FaultRun, type Worker } from './fault-run.ts';
import { javaConsumer } from './java-consumer.ts';

const FIRST = 0.22;
const LAST = 0.78;
/** Of the input that the kills may take, this much is planned; the rest flows while a transaction is waited for. */
const PLANNED = 0.6;

/**
 * kill -9 of one of two workers every 1.5 to 4 s while a transaction is open, all while 20 to 80 % of the input is committed; then every window is
 * there once, with the right number, for this driver and for the Java consumer.
 */
export async function killRun(
  run: FaultRun,
  options: {
    readonly kills: number;
    readonly perSecond: number;
    /** Workers keep copies: there may be nothing to restore. */
    readonly hasCopies?: boolean;
  },
): Promise<void> {
  const { kills, perSecond } = options;
  await run.open();
  const workers: Worker[] = await run.startAll(2);
  run.feed(FIRST, perSecond);
  await run.until('a fifth of the input', 120_000, async () => (await run.committed()) > 0.2);
  const step = ((LAST - FIRST) * PLANNED) / kills;
  const killedAt: number[] = [];
  let restored = 0;
  let share = FIRST;
  /** More input: while there is none, nothing is in a transaction, and there is no progress to see. */
  const feedMore = (more: number): void => {
    share = Math.min(LAST, share + more);
    run.feed(share, (step * run.records) / 3);
  };
  for (let kill = 1; kill <= kills; kill++) {
    feedMore(step * 0.8);
    const pause = 1_500 + run.random() * (kill % 2 === 0 ? 2_500 : 500);
    await new Promise((resolve) => setTimeout(resolve, pause));
    await run.until('an open transaction', 60_000, async () => {
      feedMore(5 / run.records);
      return (await run.openTransactions()).size > 0;
    });
    const at = await run.committed();
    killedAt.push(at);
    const i = Math.floor(run.random() * workers.length);
    const victim = workers[i];
    assert.ok(victim?.runs, `a worker has ended by itself: ${victim?.log}`);
    restored += victim.restored;
    await victim.end('SIGKILL');
    workers[i] = run.start();
    await run.until('progress after the kill', 60_000, async () => {
      feedMore(2 / run.records);
      return (await run.committed()) > at;
    });
  }
  for (const at of killedAt) assert.ok(at > 0.2 && at < 0.8, `killed at ${at} of the input`);
  run.feed(1, perSecond);
  await run.finish();
  const { users, minutes } = await run.assertExact(120_000);
  assert.equal(await run.repartitioned(), run.records);
  restored += workers.reduce((sum, worker) => sum + worker.restored, 0);
  assert.ok(restored > 0 || options.hasCopies === true, 'no state was restored');
  const [javaUsers, javaMinutes] = await Promise.all([
    javaConsumer(run.brokers, run.topics.users.name, users.length),
    javaConsumer(run.brokers, run.topics.minutes.name, minutes.length),
  ]);
  assert.deepEqual(
    javaUsers
      .map((line) => JSON.parse(line) as UserMinute)
      .map(({ start, user, clicks }) => `${start}|${user}=${clicks}`)
      .toSorted(),
    users,
  );
  assert.deepEqual(
    javaMinutes
      .map((line) => JSON.parse(line) as Minute)
      .map(({ start, clicks }) => `${start}=${clicks}`)
      .toSorted(),
    minutes,
  );
  process.stderr.write(
    `${kills} kills at ${killedAt.map((at) => Math.round(at * 100)).join(', ')} % of ${run.records} records: ${users.length} + ${minutes.length} windows exact, ${restored} changelog records restored, seed ${run.seed}\n`,
  );
}
