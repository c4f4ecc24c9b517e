/** The broker is away for a minute, in the middle of much input: see broker-run.ts. */
import { after, before, describe, test } from 'node:test';
import { brokerRun } from './broker-run.ts';
import { FaultRun } from './fault-run.ts';
import { OwnBroker } from './own-broker.ts';

const AWAY_MS = 60_000;

describe('a broker that is away for a minute', { timeout: 20 * 60_000 }, () => {
  let broker: OwnBroker;
  before(async () => {
    broker = await OwnBroker.start();
  });
  after(() => broker.close());

  test('is waited for, and every window is exact', async (t) => {
    const run = new FaultRun('broker', broker.address, 100_000);
    t.after(() => run.close());
    await brokerRun(run, broker, { awayMs: AWAY_MS, perSecond: 2_000 });
  });
});
