import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Logger, StageStats } from '#topology';
import { mergeStats, type WorkerStats } from '../../bin/workers/merge-stats.ts';
import { type PoolStats, type RestartPolicy, WorkerPool } from '../../bin/workers/worker-pool.ts';

const FILE = join(import.meta.dirname, 'fixtures', 'worker.ts');
const QUICK: RestartPolicy = { firstDelayMs: 20, maxDelayMs: 40, quickMs: 60_000, maxQuickFailures: 3 };
const DEADLINE_MS = 20_000;

interface Line {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

class Pool {
  readonly lines: Line[] = [];
  readonly pool: WorkerPool;
  readonly code: Promise<number>;
  stats: PoolStats | undefined;
  ready = 0;

  constructor(t: TestContext, what: string, restart: RestartPolicy = QUICK) {
    const say = (fields: unknown, text?: string): void => {
      this.lines.push({ fields: fields as Line['fields'], text: text ?? String(fields) });
    };
    const logger: Logger = { debug: say, info: say, warn: say, error: say };
    this.pool = new WorkerPool({
      count: 2,
      file: FILE,
      args: [what],
      logger,
      restart,
      onReady: () => this.ready++,
      onStats: (stats) => (this.stats = stats),
    });
    this.code = this.pool.run();
    t.after(() => this.pool.kill());
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!holds()) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('a pool of workers', () => {
  test('tells the numbers of all together, and ends with 0 when it is stopped', async (t) => {
    const pool = new Pool(t, 'run');
    await until('both workers', () => pool.stats?.slots.length === 2 && pool.ready === 1);
    assert.deepEqual(pool.stats?.slots, [1, 2]);
    assert.equal(pool.stats.stages[0]?.records, 30);
    assert.deepEqual(pool.stats.workers, { wanted: 2, running: 2, restarts: 0 });
    pool.pool.stop();
    assert.equal(await pool.code, 0);
  });

  test('starts a worker again that was killed', async (t) => {
    const pool = new Pool(t, 'run');
    await until('both workers', () => pool.stats?.slots.length === 2);
    const found = pool.pool.pids();
    const [victim] = found;
    assert.ok(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await until('another process', () => pool.pool.pids().length === 2 && !pool.pool.pids().includes(victim));
    await until('its numbers', () => pool.pool.stats().slots.length === 2);
    assert.equal(pool.pool.stats().workers.restarts, 1);
    assert.match(pool.lines.map(({ text }) => text).join('\n'), /worker 1 ended \(SIGKILL\); starting again/);
    pool.pool.stop();
    assert.equal(await pool.code, 0);
  });

  test('gives up with one clear line when a worker fails again and again, and ends the others', async (t) => {
    const pool = new Pool(t, 'fail');
    assert.equal(await pool.code, 1);
    const last = pool.lines.at(-1);
    assert.equal(last?.fields['code'], 'SLC_APP_WORKER_FAILS');
    assert.match(last?.text ?? '', /worker 2 ended 3 times within 60 s of its start, at last by exit code 1: all end/);
    assert.deepEqual(pool.pool.pids(), []);
  });

  test('a configuration that cannot work is not tried again', async (t) => {
    const pool = new Pool(t, 'refuse');
    assert.equal(await pool.code, 2);
    assert.equal(pool.pool.stats().workers.restarts, 0);
  });

  test('what does not end is killed when it is told so', async (t) => {
    const pool = new Pool(t, 'hang');
    await until('both workers', () => pool.stats?.slots.length === 2);
    pool.pool.stop();
    pool.pool.kill();
    assert.equal(await pool.code, 0);
    assert.deepEqual(pool.pool.pids(), []);
  });
});

describe('numbers of several workers', () => {
  const stage = (of: Partial<StageStats>): StageStats => ({
    name: 's',
    records: 1,
    written: 0,
    late: 0,
    deadLetters: 0,
    dropped: 0,
    stateEntries: 0,
    stores: [],
    watermark: null,
    lagMs: null,
    heldBackBy: null,
    ...of,
  });
  const worker = (of: Partial<StageStats>): WorkerStats => ({
    stages: [stage(of)],
    slots: [],
    restored: 0,
    commits: 0,
    commitMs: { bounds: [], counts: [], sum: 0 },
    restoring: { total: 0, done: 0, perSecond: 0, etaMs: 0 },
    standbys: [],
    globalTables: [],
    waits: [],
    ready: true,
  });
  const merged = (...all: Partial<StageStats>[]): StageStats | undefined => mergeStats(all.map(worker)).stages[0];

  test('the least watermark counts, its lag is behind the newest clock of all', () => {
    const found = merged(
      { watermark: 500, lagMs: 10, heldBackBy: 'a' },
      { watermark: 900, lagMs: 100, heldBackBy: 'b' },
    );
    assert.deepEqual(found, stage({ records: 2, watermark: 500, lagMs: 500, heldBackBy: 'a' }));
  });

  test('stores are summed; bytes that one does not know are not known', () => {
    const store = (entries: number, bytes: number | null): Partial<StageStats> => ({
      stores: [{ store: 'a', entries, bytes }],
    });
    assert.deepEqual(merged(store(2, 20), store(3, 45))?.stores, [{ store: 'a', entries: 5, bytes: 65 }]);
    assert.deepEqual(merged(store(2, 20), store(3, null))?.stores, [{ store: 'a', entries: 5, bytes: null }]);
    assert.deepEqual(merged(store(2, 20), store(0, null))?.stores, [{ store: 'a', entries: 2, bytes: 20 }]);
  });

  test('a worker without tasks has no say, one that waits has', () => {
    assert.equal(merged({}, { watermark: 900, lagMs: 0, heldBackBy: 'b' })?.watermark, 900);
    const held = merged({ heldBackBy: 'a' }, { watermark: 900, lagMs: 0, heldBackBy: 'b' });
    assert.deepEqual([held?.watermark, held?.lagMs, held?.heldBackBy], [null, null, 'a']);
    assert.deepEqual(merged({}, {}), stage({ records: 2 }));
  });
});
