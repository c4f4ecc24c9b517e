/** Role `sluice registry`: a schema registry with Confluent's API. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigError, createKafkaClient } from '#topology';
import { startSchemaRegistry } from '../../connectors/schema-registry/index.ts';

export const help = `sluice registry
  Serves schemas by Confluent's API on 127.0.0.1:SLUICE_REGISTRY_PORT (0: any free port); keeps them in Kafka (SLUICE_KAFKA), topic _schemas.
  Stop it with SIGTERM.`;

export async function run(args: string[]): Promise<number> {
  parseArgs({ args, options: {} });
  const brokers = process.env['SLUICE_KAFKA'];
  if (brokers === undefined || brokers === '') {
    throw new ConfigError('SLC_CONFIG_MISSING', 'SLUICE_KAFKA is not set', {
      hint: 'npm start sets it; by hand: export SLUICE_KAFKA=...',
    });
  }
  const logger = pino({ name: 'registry', level: process.env['SLUICE_LOG'] ?? 'info' });
  const client = createKafkaClient({ brokers: brokers.split(','), clientId: 'sluice-registry', logger });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const port = Number(process.env['SLUICE_REGISTRY_PORT'] ?? 8081);
  const starting = startSchemaRegistry({ client, logger, port });
  const registry = await Promise.race([starting, stopped.then(() => undefined)]);
  if (registry !== undefined) {
    logger.info({ port: registry.port }, 'serving');
    process.send?.({ type: 'ready', port: registry.port });
    await stopped;
    await registry.stop();
  }
  await client.close();
  return 0;
}
