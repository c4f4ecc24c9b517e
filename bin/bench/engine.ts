/** Sluice as the benchmarks measure it: a process of its own, all settings the defaults. */
import { buildTopology, createKafkaClient, type SerdeFactory, type Stage, startStreamApp } from '#topology';
import { MemoryRegistry, testSerdes } from '../../connectors/avro/testing.ts';
import { enrichedAsOf, enrichedViews, itemViews } from '../../dev/bench/stages.ts';
import { countTopic, enrichedTopic, itemTopic, pageviewTopic, SCHEMAS } from '../../dev/bench/topics.ts';
import { PARTITIONS } from '../../dev/bench/workload.ts';
import { required } from '../environment.ts';
import { roleLogger } from '../role-logger.ts';

/** Runs the stage of dev/bench/stages.ts that the environment names until SIGTERM. Schemas have fixed ids, as the peer's have. */
export async function runEngine(): Promise<number> {
  const app = required('APP_ID');
  const logger = roleLogger('bench');
  const client = createKafkaClient({ brokers: [required('BOOTSTRAP')], clientId: app, logger });
  const stopped = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  const running = await startStreamApp({
    client,
    topology: buildTopology([stageOf()], { app }),
    serdes: await fixedSerdes(),
    logger,
    onFatal: (error) => {
      logger.fatal({ err: error }, error.message);
      process.exit(1);
    },
  });
  await stopped;
  logger.info(running.stats(), 'stops');
  await running.stop();
  await client.close();
  return 0;
}

/** LATE=native: no lateness rule at the source, five minutes of grace in the window, for the peer and for Sluice. */
function stageOf(): Stage {
  const input = required('INPUT');
  const output = required('OUTPUT');
  const partitions = Number(process.env['PARTITIONS'] || PARTITIONS);
  const workload = required('WORKLOAD');
  if (workload !== 'r1') {
    const enrichedStage = workload === 'r3-as-of' ? enrichedAsOf : enrichedViews;
    return enrichedStage(pageviewTopic(input), itemTopic(required('ITEMS')), enrichedTopic(output));
  }
  const views = countTopic(output, partitions);
  if (process.env['LATE'] !== 'native') return itemViews(pageviewTopic(input, { partitions }), views);
  return itemViews(pageviewTopic(input, { partitions, outOfOrderness: '0s' }), views, '5m');
}

/** Ids as in SCHEMA_IDS, and no registry to ask. */
export async function fixedSerdes(): Promise<SerdeFactory> {
  const registry = new MemoryRegistry();
  for (const schema of SCHEMAS) await registry.register('', schema);
  return testSerdes(registry);
}
