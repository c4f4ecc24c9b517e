/** What the change data capture of MySQL is told and tells. */
import type { KafkaClient, Logger, TopicLimits } from '#topology';

/** Options of `createMysqlCdc`. */
export interface MysqlCdcOptions {
  /** mysql://user:password@host:port/ (percent-encoded); `?ssl=true` verifies the server's certificate, `?ssl=insecure` does not. */
  readonly mysqlUrl: string;
  readonly kafka: KafkaClient;
  /** Schema registry, Confluent's REST API. */
  readonly registryUrl: string;
  /** Tables to capture, without the database. Each needs a primary key and InnoDB. */
  readonly tables: readonly string[];
  /** Topics are `<topicPrefix>.<database>.<table>`. */
  readonly topicPrefix: string;
  readonly database: string;
  /** Who writes: names the hints, the topic `sluice.<name>.offsets` and the transactional id `sluice-<name>` (dots become dashes). */
  readonly name: string;
  /** How far behind its partition's clock a change may be, ms: hints say the time reached minus this. */
  readonly outOfOrdernessMs: number;
  readonly logger: Logger;
  /** Called at most once, after `start` has resolved, when the capture has ended for good. */
  readonly onFatal?: (error: Error) => void;
  /** 'again': take a new snapshot once, whatever the offsets say (after SLC_CDC_POSITION_LOST). Default 'when-needed'. */
  readonly snapshot?: 'when-needed' | 'again';
  /** Replica id towards MySQL; must be unique among its replicas. Default: derived from name and registry. */
  readonly serverId?: number;
  /** Of topics that it creates. */
  readonly topicLimits?: TopicLimits;
  /** Partitions of the topics. Default 6. */
  readonly partitions?: number;
  /** Rows of one Kafka transaction, at most. Default 5,000. */
  readonly maxRows?: number;
  /** How long a change waits for others to share its Kafka transaction, ms. Default 100. */
  readonly lingerMs?: number;
  /** Largest record (key + value), bytes; Kafka's own limit is max.message.bytes. Default 1,000,000. */
  readonly maxRecordBytes?: number;
  /** Time between hints while caught up, ms. Default 250. */
  readonly hintMs?: number;
  /** Silence after which the server is asked for a sign of life, ms; after five of them the connection counts as dead. Default 1,000. */
  readonly heartbeatMs?: number;
}

/** What the capture has done so far. */
export interface MysqlCdcStats {
  /** Records committed to Kafka by this process, tombstones included. */
  readonly records: number;
  readonly snapshotDone: boolean;
  /** Age of the newest change published while behind, ms; 0 when caught up with the binlog. */
  readonly lagMs: number;
  /** Everything before it in the binlog is in Kafka; undefined before the binlog is read. */
  readonly position: { readonly file: string; readonly pos: number } | undefined;
  /** Hints written by this process. */
  readonly hints: number;
  /** What it waits for, undefined while it runs. */
  readonly waitingFor: string | undefined;
}

/** A running (or startable) capture. */
export interface MysqlCdc {
  /**
   * Resolves when the snapshot has begun or the binlog is read. Waits, with backoff and a log line saying for what, while Kafka, the registry or MySQL
   * are away. Rejects with ConfigError or ConnectorError (SLC_CDC_*) when a person has to repair something first.
   */
  start(): Promise<void>;
  /** Commits the changes that it holds and closes everything, within 5 s. Safe to call at any time, also twice. */
  stop(): Promise<void>;
  stats(): MysqlCdcStats;
}

/** A column as far as its values go. */
export interface Column {
  readonly name: string;
  /** As in information_schema's COLUMN_TYPE: `int(10) unsigned`, `decimal(10,2)`, `datetime(3)`. */
  readonly type: string;
  readonly nullable: boolean;
}

/** A captured table as the server describes it now. */
export interface TableInfo {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
}

/** Values by column name, as drivers give them. */
export type Row = Readonly<Record<string, unknown>>;

/** Where a change stands in the source. */
export interface SourcePosition {
  /** GTIDs of all transactions completed: a MySQL set or a MariaDB position. */
  readonly gtid: string;
  readonly file: string;
  /** End of the last completed transaction in `file`. */
  readonly pos: number;
}
