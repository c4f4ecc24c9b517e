/** Role `sluice run`: the stages of the shop, as one application in this process. Start it on more machines to share the slots. */
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import { buildTopology, createKafkaClient, SluiceError, startStreamApp } from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { shopStages } from '../../processors/index.ts';
import { required, topicLimits } from '../environment.ts';

export const help = `sluice run [--app NAME]
  Runs the stages: reads and writes Kafka (SLUICE_KAFKA), registers schemas (SLUICE_REGISTRY). Stop it with SIGTERM.`;

const STATS_MS = 2_000;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { app: { type: 'string', default: 'shop' } } });
  const brokers = required('SLUICE_KAFKA').split(',');
  const registryUrl = required('SLUICE_REGISTRY');
  const logger = pino({ name: 'run', level: process.env['SLUICE_LOG'] ?? 'info' });
  const topology = buildTopology(shopStages, { app: values.app });
  const client = createKafkaClient({ brokers, clientId: `${values.app}-run`, logger });
  const serdes = createAvroSerdes({ registryUrl });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const starting = startStreamApp({
    client,
    topology,
    serdes,
    logger,
    topicLimits: topicLimits(),
    onFatal: (error) => end(logger, error),
  });
  const app = await Promise.race([starting, stopped.then(() => undefined)]);
  if (app !== undefined) {
    process.send?.({ type: 'ready' });
    logger.info({ epoch: topology.epoch }, 'running');
    const timer = setInterval(() => process.send?.({ type: 'stats', ...app.stats() }), STATS_MS);
    await stopped;
    clearInterval(timer);
    await app.stop();
  }
  await client.close();
  return 0;
}

/** What is processed but not committed must stay so: no orderly stop. */
function end(logger: Logger, error: Error): never {
  const { code, hint } = error instanceof SluiceError ? error : { code: 'SLC_BUG', hint: undefined };
  logger.fatal({ code, hint, err: error }, error.message);
  process.exit(1);
}
