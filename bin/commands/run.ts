/** Role `sluice run`: the stages of the shop, as one application in this process. Start it on more machines to share the slots. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { buildTopology, ConfigError, createKafkaClient, SluiceError, startStreamApp, type StreamApp } from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { shopStages } from '../../processors/index.ts';

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
  return await new Promise<number>((resolve) => {
    let app: StreamApp | undefined;
    let stopping = false;
    const stop = async (code: number): Promise<void> => {
      if (stopping) return;
      stopping = true;
      clearInterval(timer);
      await app?.stop().catch((error: unknown) => logger.error({ err: error }, 'stopping'));
      await client.close().catch(() => undefined);
      resolve(code);
    };
    const onFatal = (error: Error): void => {
      const code = error instanceof SluiceError ? error.code : 'SLC_BUG';
      const hint = error instanceof SluiceError ? error.hint : undefined;
      logger.fatal({ code, hint, err: error }, error.message);
      // What is processed but not committed must stay so: no orderly stop.
      process.exit(1);
    };
    const timer = setInterval(() => {
      if (app !== undefined) process.send?.({ type: 'stats', ...app.stats() });
    }, STATS_MS);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(0));
    void startStreamApp({ client, topology, serdes, logger, onFatal }).then((started) => {
      app = started;
      process.send?.({ type: 'ready' });
      logger.info({ epoch: topology.epoch }, 'running');
    }, onFatal);
  });
}

function required(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  throw new ConfigError('SLC_CONFIG_MISSING', `${name} is not set`, {
    hint: `npm start sets it; by hand: export ${name}=...`,
  });
}
