/** What all parts of one session share: from fencing to the next failure. */
import type { KafkaClient, Logger, TopicLimits } from '#topology';
import type { ConnectionSettings } from './connection.ts';
import type { ChangeSource } from './envelope.ts';
import type { Connection } from './connection.ts';
import type { Publisher } from './publisher.ts';
import type { Server } from './server.ts';
import type { StoredOffset } from './offsets.ts';
import type { TableCatalog } from './catalog.ts';

/** Limits and names, defaults filled in. */
export interface Settings {
  readonly mysql: ConnectionSettings;
  readonly kafka: KafkaClient;
  readonly tables: readonly string[];
  readonly database: string;
  readonly topicPrefix: string;
  readonly name: string;
  readonly outOfOrdernessMs: number;
  readonly serverId: number;
  readonly partitions: number;
  readonly topicLimits: TopicLimits;
  readonly maxRows: number;
  readonly lingerMs: number;
  readonly maxRecordBytes: number;
  readonly hintMs: number;
  readonly heartbeatMs: number;
  readonly logger: Logger;
}

/** A session that has Kafka, the registry and MySQL. */
export interface SessionContext {
  readonly settings: Settings;
  readonly server: Server;
  /** For questions while the binlog is read; one statement at a time. */
  readonly connection: Connection;
  readonly catalog: TableCatalog;
  readonly publisher: Publisher;
  readonly signal: AbortSignal;
  /** Hears of every commit. */
  committed(offset: StoredOffset): void;
}

/** Version in the `source` block: what the envelope looks like, not the build. */
const ENVELOPE_VERSION = '1.0';

/** Topic of a table's changes. */
export function topicOf(settings: Pick<Settings, 'topicPrefix' | 'database'>, table: string): string {
  return `${settings.topicPrefix}.${settings.database}.${table}`;
}

/** The parts of `source` that do not change from row to row. */
export function sourceBase(
  { settings, server }: SessionContext,
  table: string,
): Pick<ChangeSource, 'version' | 'connector' | 'name' | 'db' | 'sequence' | 'table' | 'thread' | 'query'> & {
  readonly server_id: number;
} {
  return {
    version: ENVELOPE_VERSION,
    connector: server.flavour,
    name: settings.name,
    db: settings.database,
    sequence: null,
    table,
    server_id: Number(server.variables.get('server_id') ?? 0),
    thread: null,
    query: null,
  };
}

/** Bytes collected before a Kafka transaction is committed, whatever the number of rows. */
export const MAX_TRANSACTION_BYTES = 8 * 2 ** 20;
