/** A partition that is far ahead waits (rule 14 of docs/TIME.md): state stays small, results are the same, and nobody waits for who has nothing to read. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { MINUTE } from '../dsl/support.ts';
import { BROKEN_RULES } from '../determinism/broken-rules.ts';
import { BROKEN_STANDBYS } from '../determinism/broken-standbys.ts';
import { readsBesideIdle, SkewApp } from './skew-app.ts';

const PARTITIONS = [0, 1, 2];
const MINUTES = 300;
const DAYS = 10 * 24 * 60;
/** What comes last closes four minutes of its own. */
const ROWS = MINUTES + 4;
const SLOW = 1;

interface Ran {
  readonly rows: readonly string[];
  readonly peak: number;
  readonly waited: number;
}

/** Five hours of event time in each partition, then one much later, which closes their windows. */
async function run(t: TestContext, maxSkewMs: number, processes: number): Promise<Ran> {
  const app = new SkewApp();
  await app.open();
  for (const partition of PARTITIONS) await app.feed(partition, 0, MINUTES);
  for (const partition of PARTITIONS) await app.feed(partition, DAYS, DAYS + 5);
  for (let n = 0; n < processes; n++) await app.start(maxSkewMs, SLOW);
  await app.until(() => app.isRead() && app.rows().length >= ROWS);
  await app.close();
  const { rows, peak, waited } = { rows: app.rows(), peak: app.peak, waited: app.waited };
  t.diagnostic(
    `${maxSkewMs / MINUTE} min, ${processes} processes: at most ${peak} windows open, waited ${waited} times`,
  );
  return { rows, peak, waited };
}

describe('a partition that is ahead of a slow one', () => {
  for (const processes of [1, 2]) {
    test(`waits, and holds few windows open: ${processes} processes`, async (t) => {
      const free = await run(t, Infinity, processes);
      const held = await run(t, 10 * MINUTE, processes);
      assert.deepEqual(held.rows, free.rows);
      assert.equal(held.rows.length, ROWS);
      assert.equal(free.waited, 0);
      assert.ok(held.waited > 0);
      assert.ok(free.peak > MINUTES / 2, 'without it, windows of hours are open');
      assert.ok(held.peak < 40, 'with it, those of minutes');
    });
  }

  test('with no skew allowed at all it comes to an end, with the same rows', async (t) => {
    assert.deepEqual((await run(t, 0, 1)).rows, (await run(t, Infinity, 1)).rows);
  });
});

describe('a partition that has nothing unread', () => {
  test('holds nobody: neither one that never had anything, nor one that is read to its end', async () => {
    assert.equal(await readsBesideIdle(), true);
  });

  test('would stop the others for ever, were it waited for', () => {
    const determinism = join(import.meta.dirname, '../determinism');
    const index = String(BROKEN_RULES.length + BROKEN_STANDBYS.length);
    const args = ['--import', join(determinism, 'break-rule.ts'), join(import.meta.dirname, 'skew-app.ts')];
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, SLUICE_TEST_BREAK: index };
    assert.equal(execFileSync(process.execPath, args, { env, encoding: 'utf8' }), 'false');
  });
});
