import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Clock, ConfigError, type KafkaClient, type Logger, systemClock } from '#topology';
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
  stop(): Promise<void>;
}

/**
 * Starts a schema registry with Confluent's API, its state in a compacted topic in Confluent's format. Serves when all of the topic has been read;
 * waits, saying so, while Kafka is away. ConfigError SLC_REGISTRY_PORT when the port is in use.
 */
export async function startSchemaRegistry(options: SchemaRegistryOptions): Promise<RunningRegistry> {
  const { client, logger, clock = systemClock, host = '127.0.0.1', topic } = options;
  const state = new RegistryState();
  const log = new SchemaLog({ client, state, logger, clock, ...(topic === undefined ? {} : { topic }) });
  const server = registryServer(new SchemaRegistry(state, log));
  try {
    await log.start();
    await listen(server, host, options.port);
  } catch (error) {
    await log.stop();
    throw error;
  }
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    stop: async () => {
      // Keep-alive connections would hold it up.
      server.server.closeAllConnections();
      await server.close();
      await log.stop();
    },
  };
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ConfigError(
      'SLC_REGISTRY_PORT',
      `port ${port} of ${host} is in use: the schema registry cannot listen there`,
      {
        cause: error,
        hint: 'set SLUICE_REGISTRY_PORT to a free port, or to 0 for any',
      },
    );
  }
}
