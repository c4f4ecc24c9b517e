/** A process that carries a topic to PostgreSQL until it is killed. The topic is in its own memory, and the same in every such process. */
import { createSinkRunner } from '#topology';
import { SmallKafka } from '../../topology/runtime/small-kafka.ts';
import { flowTopic, jsonSerdes, PARTITIONS, recordAt } from './flow.ts';
import { makeSink, silent } from './harness.ts';

const {
  url = '',
  start = '0',
  perMs = '1',
  count = '0',
} = Object.fromEntries(process.argv.slice(2).map((each) => each.split(/=(.*)/s, 2)));
const kafka = new SmallKafka();
kafka.create(flowTopic.name, PARTITIONS);
let written = 0;
const flow = (): void => {
  const end = Math.min(Number(count), Math.floor((Date.now() - Number(start)) * Number(perMs)));
  if (end <= written) return;
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for (let from = written; from < end; from += 100) {
      const size = Math.min(100, end - from);
      kafka.append(
        flowTopic.name,
        partition,
        Array.from({ length: size }, (_, i) => recordAt(partition, from + i)),
      );
    }
  }
  written = end;
};
flow();
setInterval(flow, 10);
const runner = createSinkRunner({
  client: kafka.client(),
  app: 'crash',
  stage: { name: 'numbers', topics: [flowTopic], sink: makeSink({ url }, { application: 'crash' }) },
  serdes: jsonSerdes,
  logger: silent,
  limits: { lingerMs: 5, maxRecords: 200 },
});
await runner.start();
process.send?.('ready');
