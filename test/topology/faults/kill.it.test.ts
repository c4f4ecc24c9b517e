/** kill -9 again and again, small: see kill-run.ts. */
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { scratch } from '../state/store-labs.ts';
import { FaultRun } from './fault-run.ts';
import { killRun } from './kill-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

describe('two workers of which one is killed again and again', { timeout: 4 * 60_000 }, () => {
  test('0 duplicates, 0 missing, read by this driver and by the Java consumer', async (t) => {
    const run = new FaultRun('kill', brokers, 30_000);
    t.after(() => run.close());
    await killRun(run, { kills: 8, perSecond: 1_200 });
  });

  test('the same with state on disk, in a directory that both share', async (t) => {
    const directory = scratch();
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const run = new FaultRun('disk', brokers, 15_000, { TEST_STATE_DIR: directory });
    t.after(() => run.close());
    await killRun(run, { kills: 8, perSecond: 1_200 });
  });
});
