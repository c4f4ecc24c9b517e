/** Three workers, restarted one after the other in order while records flow: nobody waits long, and the output is exact. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FaultRun, PARTITIONS } from './fault-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const RECORDS = 20_000;
const WORKERS = 3;
const PER_SECOND = 800;

/** The longest time in which no slot committed anything of the input, ms; and the longest for any one slot. */
class Gaps {
  all = 0;
  slot = 0;
  readonly #run: FaultRun;
  readonly #movedAt = new Map<number, { position: bigint; at: number }>();
  #anyAt = performance.now();

  constructor(run: FaultRun) {
    this.#run = run;
  }

  async look(): Promise<void> {
    const { admin, app, topics } = this.#run;
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: topics.clicks.name, partition }));
    for (const { partition, offset } of await admin.committedOffsets(app, partitions)) {
      const now = performance.now();
      const before = this.#movedAt.get(partition);
      if (before?.position === offset) continue;
      if (before !== undefined) this.slot = Math.max(this.slot, now - before.at);
      this.all = Math.max(this.all, now - this.#anyAt);
      this.#anyAt = now;
      this.#movedAt.set(partition, { position: offset, at: now });
    }
  }
}

describe('a rolling restart', { timeout: 240_000 }, () => {
  test('of three workers under load: each ends with 0, others go on, the output is exact', async (t) => {
    const run = new FaultRun('rolling', brokers, RECORDS);
    t.after(() => run.close());
    await run.open();
    const workers = await run.startAll(WORKERS);
    run.feed(1, PER_SECOND);
    await run.until('a tenth of the input', 60_000, async () => (await run.committed()) > 0.1);
    const gaps = new Gaps(run);
    const ends: string[] = [];
    for (const [i, worker] of workers.entries()) {
      const at = await run.committed();
      const begun = performance.now();
      assert.equal(await worker.end('SIGTERM'), 0, worker.log);
      ends.push(`${((performance.now() - begun) / 1_000).toFixed(1)} s`);
      const next = run.start();
      workers[i] = next;
      await run.until('the new worker has slots, and there is progress', 60_000, async () => {
        await gaps.look();
        return next.slots.length > 0 && next.commits > 0 && (await run.committed()) > at;
      });
    }
    const done = run.committed();
    assert.ok((await done) < 1, 'the input has ended before the restarts had');
    await run.finish();
    await run.assertExact();
    assert.equal(await run.repartitioned(), RECORDS);
    const text = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
    process.stderr.write(
      `rolling restart: workers ended in ${ends.join(', ')}; longest gap ${text(gaps.all)}, of one slot ${text(gaps.slot)}; exact, seed ${run.seed}\n`,
    );
  });
});
