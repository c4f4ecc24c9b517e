/** Role `sluice registry`: a schema registry with Confluent's API. */
import { parseArgs } from 'node:util';
import { ConfigError, createKafkaClient } from '#topology';
import { startSchemaRegistry } from '../../connectors/schema-registry/index.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice registry
  Serves schemas by Confluent's API on 127.0.0.1:SLUICE_REGISTRY_PORT (0: any free port); keeps them in Kafka (SLUICE_KAFKA), topic _schemas.
  Stop it with SIGTERM.`;

/** Of each of two steps: the supervisor gives 3 s. */
const STOP_MS = 1_400;

export async function run(args: string[]): Promise<number> {
  parseArgs({ args, options: {} });
  const brokers = process.env['SLUICE_KAFKA'];
  if (brokers === undefined || brokers === '') {
    throw new ConfigError('SLC_CONFIG_MISSING', 'SLUICE_KAFKA is not set', {
      hint: 'npm start sets it; by hand: export SLUICE_KAFKA=...',
    });
  }
  const logger = roleLogger('registry');
  const client = createKafkaClient({ brokers: brokers.split(','), clientId: 'sluice-registry', logger });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const port = portOf(process.env['SLUICE_REGISTRY_PORT'] ?? '8081');
  const starting = startSchemaRegistry({ client, logger, port });
  const registry = await Promise.race([starting, stopped.then(() => undefined)]);
  if (registry !== undefined) {
    logger.info({ port: registry.port }, 'serving');
    process.send?.({ type: 'ready', port: registry.port });
    const lost = await Promise.race([stopped, registry.lost]);
    await within(STOP_MS, () => registry.stop());
    if (lost !== undefined) throw lost;
  }
  await within(STOP_MS, () => client.close());
  return 0;
}

function portOf(text: string): number {
  const port = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new ConfigError('SLC_REGISTRY_PORT', `SLUICE_REGISTRY_PORT is no port: ${JSON.stringify(text)}`, {
    hint: 'set it to a free port, or to 0 for any',
  });
}

async function within(ms: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work(), limit]);
  clearTimeout(timer);
}
