/** Erases a user and dies by SIGKILL between a send and its commit: `erase-child.ts USER NTH` (at the NTH commit); addresses as for the command. */
import { pino } from 'pino';
import { schemas } from '#schemas';
import { buildTopology, createKafkaClient } from '#topology';
import { erasableTopics } from '../../../bin/commands/erase.ts';
import { createAvroSerdes } from '../../../connectors/avro/index.ts';
import { UserErasure } from '../../../dev/erase/erase.ts';
import { shopStages, topics } from '../../../processors/index.ts';
import { openSessions, personalStores } from '../../../processors/personal-data.ts';
import { dyingClient } from '../dying-client.ts';

const [, , userId = '', nth = '1'] = process.argv;
const brokers = (process.env['SLUICE_KAFKA'] ?? '').split(',');
const client = createKafkaClient({ brokers, clientId: 'erase-child', logger: pino({ level: 'silent' }) });
const erasure = await UserErasure.open({
  client: dyingClient(client, Number(nth)),
  admin: await client.admin(),
  topology: buildTopology(shopStages, { app: 'shop' }),
  serdes: createAvroSerdes({ registryUrl: process.env['SLUICE_REGISTRY'] ?? '' }),
  schemas,
  userId,
  topics: erasableTopics(),
  stores: personalStores,
  openSessions,
  users: topics.silver.users.name,
  postgres: process.env['SLUICE_POSTGRES'],
  secret: process.env['SLUICE_ERASURE_KEY'] ?? '',
  deadline: Date.now() + 60_000,
  progress: () => undefined,
});
await erasure.erase(await erasure.holdings());
process.exit(0);
