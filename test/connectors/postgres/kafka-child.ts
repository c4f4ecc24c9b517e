/** A process that carries a topic of a real Kafka to PostgreSQL until it is stopped or killed. */
import { createKafkaClient, createSinkRunner, topic } from '#topology';
import { jsonSerdes, PARTITIONS } from './flow.ts';
import { definition, makeSink, silent } from './harness.ts';

const {
  url = '',
  brokers = '',
  name = '',
} = Object.fromEntries(process.argv.slice(2).map((each) => each.split(/=(.*)/s, 2)));
const numbers = topic(name, { value: { name: 'numbers', definition: {} }, partitions: PARTITIONS });
const sink = makeSink(
  { url },
  {
    application: name,
    topics: [name],
    schemaFor: () => ({ schema: definition, table: { schema: 'gold', name: 'numbers' } }),
  },
);
const client = createKafkaClient({ brokers: [brokers], clientId: 'sink-test', logger: silent });
const runner = createSinkRunner({
  client,
  app: name,
  stage: { name, topics: [numbers], sink },
  serdes: jsonSerdes,
  logger: silent,
  limits: { lingerMs: 5, maxRecords: 100, sessionTimeoutMs: 6_000 },
});
process.once('SIGTERM', () => {
  void runner
    .stop()
    .then(() => Promise.all([sink.close(), client.close()]))
    .then(() => process.exit(0));
});
await runner.start();
process.send?.('ready');
