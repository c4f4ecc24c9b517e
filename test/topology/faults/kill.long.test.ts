/** kill -9 again and again, for minutes: see kill-run.ts. */
import { describe, test } from 'node:test';
import { FaultRun } from './fault-run.ts';
import { killRun } from './kill-run.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

describe('two workers of which one is killed again and again', { timeout: 30 * 60_000 }, () => {
  test('0 duplicates, 0 missing, read by this driver and by the Java consumer', async (t) => {
    const run = new FaultRun('kill', brokers, 200_000);
    t.after(() => run.close());
    await killRun(run, { kills: 30, perSecond: 3_000 });
  });
});
