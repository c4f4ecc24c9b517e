/** Retries dead letters and dies by SIGKILL between a send and its commit: `retry-child.ts BROKERS APP STAGE NTH` (at the NTH commit). */
import { pino } from 'pino';
import { buildTopology, createKafkaClient, type KafkaClient } from '#topology';
import { retryLetters } from '../../../dev/inspect/retry.ts';

const [, , brokers = '', app = '', stage = '', nth = '1'] = process.argv;
const client = createKafkaClient({ brokers: brokers.split(','), clientId: app, logger: pino({ level: 'silent' }) });
let commits = 0;
const dying: KafkaClient = {
  ...client,
  admin: () => client.admin(),
  reader: (options) => client.reader(options),
  join: (options) => client.join(options),
  producer: async (options) => {
    const producer = await client.producer(options);
    const commit = producer.commit.bind(producer);
    producer.commit = async () => {
      commits++;
      if (commits === Number(nth)) process.kill(process.pid, 'SIGKILL');
      await commit();
    };
    return producer;
  },
};
await retryLetters({
  client: dying,
  admin: await client.admin(),
  topology: buildTopology([], { app }),
  filter: { stage },
  alsoOthers: false,
  dryRun: false,
  limit: Number.MAX_SAFE_INTEGER,
  deadline: Date.now() + 30_000,
});
process.exit(0);
