/** A process that carries a topic of a real Kafka to a capture server until it is stopped or killed. */
import { createKafkaClient, createSinkPositions, createSinkRunner, topic } from '#topology';
import { createPostHogSink } from '../../../connectors/posthog/index.ts';
import { jsonSerdes, PARTITIONS } from '../postgres/flow.ts';
import { flowEvent, KEY, silent } from './harness.ts';

const {
  url = '',
  brokers = '',
  name = '',
} = Object.fromEntries(process.argv.slice(2).map((each) => each.split(/=(.*)/s, 2)));
const numbers = topic(name, { value: { name: 'numbers', definition: {} }, partitions: PARTITIONS });
const client = createKafkaClient({ brokers: [brokers], clientId: 'posthog-test', logger: silent });
const sink = createPostHogSink({
  host: url,
  key: KEY,
  topics: [name],
  eventOf: flowEvent,
  positions: createSinkPositions({ client, app: name, stage: 'posthog' }),
  logger: silent,
  requestTimeoutMs: 1_000,
  patienceMs: 1_000,
});
const runner = createSinkRunner({
  client,
  app: name,
  stage: { name: 'posthog', topics: [numbers], sink },
  serdes: jsonSerdes,
  logger: silent,
  limits: { lingerMs: 5, maxRecords: 100, sessionTimeoutMs: 6_000 },
});
process.once('SIGTERM', () => {
  void runner
    .stop()
    .then(() => sink.close())
    .then(() => client.close())
    .then(() => process.exit(0));
});
await runner.start();
process.send?.('ready');
