import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Clock, ConfigError, type KafkaClient, type Logger, type SluiceError, systemClock } from '#topology';
import { SchemaRegistry } from './registry.ts';
import { SchemaLog } from './schema-log.ts';
import { registryServer } from './server.ts';
import { RegistryState } from './state.ts';

/** Options of `startSchemaRegistry`. `port` 0: any that is free. */
export interface SchemaRegistryOptions {
  readonly client: KafkaClient;
  readonly logger: Logger;
  readonly port: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: `_schemas`. */
  readonly topic?: string;
  readonly clock?: Clock;
}

/** A registry that serves. */
export interface RunningRegistry {
  readonly port: number;
  /** Resolves when the topic was made anew or cut under it: it says 503 from then on, only a new start helps. */
  readonly lost: Promise<SluiceError>;
  /** Ends within about two seconds. */
  stop(): Promise<void>;
}

/**
 * Starts a schema registry with Confluent's API, its state in a compacted topic in Confluent's format. Resolves when all of the topic has been read;
 * until then it says 503. Waits, saying so, while Kafka is away. ConfigError SLC_REGISTRY_PORT when the port is in use, before Kafka is asked for anything.
 */
export async function startSchemaRegistry(options: SchemaRegistryOptions): Promise<RunningRegistry> {
  const { client, logger, clock = systemClock, host = '127.0.0.1', topic } = options;
  const state = new RegistryState();
  const log = new SchemaLog({ client, state, logger, clock, ...(topic === undefined ? {} : { topic }) });
  const server = registryServer(new SchemaRegistry(state, log), () => log.serving);
  try {
    await listen(server, host, options.port);
    await log.start();
  } catch (error) {
    await server.close();
    await log.stop();
    throw error;
  }
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    lost: log.lost,
    stop: async () => {
      await log.stop();
      // Keep-alive connections would hold it up.
      server.server.closeAllConnections();
      await server.close();
    },
  };
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'it is in use' : code;
    throw new ConfigError(
      'SLC_REGISTRY_PORT',
      `the schema registry cannot listen at port ${port} of ${host}: ${reason}`,
      {
        cause: error,
        hint: 'set SLUICE_REGISTRY_PORT to a free port, or to 0 for any',
      },
    );
  }
}
