/** `npm run chaos -- --minutes N`: see chaos-run.ts. */
import { after, before, describe, test } from 'node:test';
import { ChaosRun } from './chaos-run.ts';
import { FaultRun } from './fault-run.ts';
import { OwnBroker } from './own-broker.ts';

const MINUTE_MS = 60_000;
const minutes = Number(process.env['SLUICE_CHAOS_MINUTES'] ?? 3);
const PER_SECOND = 300;

describe('chaos', { timeout: (3 * minutes + 10) * MINUTE_MS }, () => {
  let broker: OwnBroker;
  before(async () => {
    broker = await OwnBroker.start();
  });
  after(() => broker.close());

  test(`${minutes} minutes of faults at random: progress after each, and the output is exact`, async (t) => {
    // What was repartitioned is counted in the end.
    const env = { TEST_TRIM_MS: String(24 * 60 * MINUTE_MS) };
    const run = new FaultRun('chaos', broker.address, Math.ceil(minutes * 60 * PER_SECOND), env);
    t.after(() => run.close());
    await new ChaosRun(run, broker).go(minutes * MINUTE_MS, PER_SECOND);
  });
});
