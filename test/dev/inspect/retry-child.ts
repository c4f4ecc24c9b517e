/** Retries dead letters and dies by SIGKILL between a send and its commit: `retry-child.ts BROKERS APP STAGE NTH` (at the NTH commit). */
import { pino } from 'pino';
import { buildTopology, createKafkaClient } from '#topology';
import { retryLetters } from '../../../dev/inspect/retry.ts';
import { dyingClient } from '../dying-client.ts';

const [, , brokers = '', app = '', stage = '', nth = '1'] = process.argv;
const client = createKafkaClient({ brokers: brokers.split(','), clientId: app, logger: pino({ level: 'silent' }) });
await retryLetters({
  client: dyingClient(client, Number(nth)),
  admin: await client.admin(),
  topology: buildTopology([], { app }),
  filter: { stage },
  alsoOthers: false,
  dryRun: false,
  limit: Number.MAX_SAFE_INTEGER,
  deadline: Date.now() + 30_000,
});
process.exit(0);
