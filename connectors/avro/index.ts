/** Avro with a schema registry: the serdes of every topic. */
import { type Clock, type SerdeFactory, systemClock } from '#topology';
import { ConfluentRegistry } from './confluent-registry.ts';
import { serdesOver } from './serdes.ts';

export { type AvroViewer, createAvroViewer, type SubjectVersion, type ViewedValue } from './viewer.ts';

/** Options of `createAvroSerdes`. */
export interface AvroSerdesOptions {
  /** http(s)://[user:password@]host:port[/path] of anything that speaks Confluent's API. */
  readonly registryUrl: string;
  readonly clock?: Clock;
  /** One request takes no longer, ms. Default 5000. */
  readonly requestTimeoutMs?: number;
  /** How often a call is tried while the registry is away. Default 4. */
  readonly attempts?: number;
  /** Pause before the second try, ms; it doubles with each. Default 100. */
  readonly backoffMs?: number;
  /** How long "there is no such schema" is believed, ms. Default 10000. */
  readonly unknownForMs?: number;
  /** Larger values are refused, bytes. Default 900000: what fits into a record batch. */
  readonly maxBytes?: number;
}

/**
 * Serdes in Avro with Confluent's framing. `open` with `write: true` registers the schema under its subject, which must allow only
 * BACKWARD_TRANSITIVE changes or fewer; it rejects with ConfigError SLC_CONFIG_SCHEMA_INCOMPATIBLE, SLC_CONFIG_SCHEMA_INVALID or
 * SLC_CONFIG_REGISTRY_ACCESS, or RetriableError SLC_REGISTRY_AWAY when the registry did not answer within the limits.
 * Throws ConfigError SLC_CONFIG_REGISTRY_URL.
 */
export function createAvroSerdes(options: AvroSerdesOptions): SerdeFactory {
  const { registryUrl, clock = systemClock, requestTimeoutMs = 5_000, attempts = 4, backoffMs = 100 } = options;
  const client = new ConfluentRegistry({ url: registryUrl, clock, requestTimeoutMs, attempts, backoffMs });
  return serdesOver(client, { clock, unknownForMs: options.unknownForMs, maxBytes: options.maxBytes });
}
