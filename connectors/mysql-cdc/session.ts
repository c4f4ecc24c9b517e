/**
 * One session: fence, read the offset, snapshot if there is none, then the binlog, until stop or failure. Nothing of it survives: the next session
 * learns from Kafka what was committed. That makes every failure the same: an unknown outcome of a commit, a lost server, a restart.
 */
import {
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaProducer,
  RetriableError,
  topicConfig,
  type TopicPartition,
} from '#topology';
import { TableCatalog } from './catalog.ts';
import { Connection } from './connection.ts';
import { type SessionContext, type Settings, topicOf } from './context.ts';
import { HintWriter } from './hints.ts';
import { offsetsTopic, readOffset, type StoredOffset } from './offsets.ts';
import { preflight } from './preflight.ts';
import { Publisher } from './publisher.ts';
import type { SchemaSubjects } from './registry.ts';
import { describeServer } from './server.ts';
import { runSnapshot } from './snapshot-run.ts';
import { ChangeStream, type StreamProgress } from './stream.ts';
import { readTable } from './tables.ts';

/** A Kafka transaction that is not finished after this is aborted by the broker, ms. */
const TRANSACTION_TIMEOUT_MS = 30_000;

export interface SessionOptions {
  readonly settings: Settings;
  readonly subjects: SchemaSubjects;
  readonly signal: AbortSignal;
  /** Take a snapshot whatever the offset says. */
  readonly again: boolean;
  /** Snapshot or stream has begun. */
  running(): void;
  /** The snapshot is finished, now or before. */
  snapshotDone(): void;
  committed(records: number): void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #stream: ChangeStream | undefined;
  #counted = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** undefined before the binlog is read. */
  get progress(): StreamProgress | undefined {
    return this.#stream?.progress;
  }

  /** Until the signal is given. Rejects with the first failure. */
  async run(): Promise<void> {
    const { settings, signal } = this.#options;
    const admin = this.#closing(await settings.kafka.admin());
    await admin.ensureTopics(topicSpecs(settings));
    const producer = this.#closing(
      await settings.kafka.producer({
        transactionalId: transactionalId(settings.name),
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      }),
    );
    await producer.fence();
    const stored = await readOffset(settings.kafka, settings.name, signal);
    const context = await this.#open(producer, await ends(admin, settings));
    signal.throwIfAborted();
    const offset = await this.#position(context, stored);
    const hints = new HintWriter({
      producer: this.#closing(await settings.kafka.producer()),
      publisher: context.publisher,
      writer: settings.name,
      topics: settings.tables.map((table) => topicOf(settings, table)),
      partitions: settings.partitions,
      outOfOrdernessMs: settings.outOfOrdernessMs,
    });
    this.#options.running();
    this.#stream = new ChangeStream(context, offset, hints);
    await this.#stream.run();
  }

  /** Closes what was opened, the newest first. Never rejects. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#options.settings.logger.debug({ error: String(error) }, 'closing after a session');
      }
    }
  }

  #closing<T extends { close(): Promise<void> | void }>(resource: T): T {
    this.#closers.push(() => resource.close());
    return resource;
  }

  async #open(producer: KafkaProducer, known: Map<string, bigint[]>): Promise<SessionContext> {
    const { settings, subjects, signal } = this.#options;
    const { name, partitions, maxRecordBytes, database, tables, logger } = settings;
    const connection = this.#closing(await Connection.open(settings.mysql));
    const server = await describeServer(connection);
    await preflight(connection, server, database, tables, logger);
    const catalog = new TableCatalog({
      tables,
      subjects,
      topicOf: (table) => topicOf(settings, table),
      describe: (table) => readTable(connection, database, table),
    });
    for (const table of tables) await catalog.info(table);
    const publisher = new Publisher({ producer, name, partitions, maxRecordBytes, ends: known });
    const committed = (): void => {
      this.#options.committed(publisher.committed - this.#counted);
      this.#counted = publisher.committed;
    };
    return { settings, server, connection, catalog, publisher, signal, committed };
  }

  /** Where the binlog is to be read from: the stored offset, or the one of a snapshot taken now. */
  async #position(context: SessionContext, stored: StoredOffset | undefined): Promise<StoredOffset> {
    const { settings, again } = this.#options;
    const added = settings.tables.filter((table) => stored !== undefined && !stored.tables.includes(table));
    if (stored !== undefined && stored.snapshot === 'done' && added.length === 0 && !again) {
      this.#options.snapshotDone();
      settings.logger.info({ gtid: stored.gtid, skip: stored.skip }, 'change data capture goes on where it stopped');
      return { ...stored, tables: settings.tables };
    }
    if (added.length > 0) settings.logger.info({ tables: added }, 'tables were added: a new snapshot is taken');
    this.#options.running();
    const offset = await runSnapshot(context, stored);
    this.#options.snapshotDone();
    return offset;
  }
}

/** Transactional id of a source: Kafka fences the older of two instances by it. */
export function transactionalId(name: string): string {
  return `sluice-${name.replaceAll('.', '-')}`;
}

function topicSpecs(settings: Settings): Parameters<KafkaAdmin['ensureTopics']>[0] {
  const origin = topicConfig('origin', settings.topicLimits);
  return [
    ...settings.tables.map((table) => ({
      name: topicOf(settings, table),
      partitions: settings.partitions,
      config: origin,
    })),
    { name: offsetsTopic(settings.name), partitions: 1, config: topicConfig('hints', settings.topicLimits) },
    { name: HINTS_TOPIC, partitions: 1, config: topicConfig('hints', settings.topicLimits) },
  ];
}

async function ends(admin: KafkaAdmin, settings: Settings): Promise<Map<string, bigint[]>> {
  const partitions: TopicPartition[] = settings.tables.flatMap((table) =>
    Array.from({ length: settings.partitions }, (_, partition) => ({ topic: topicOf(settings, table), partition })),
  );
  const found = await admin.offsets(partitions, { committed: true });
  const map = new Map<string, bigint[]>();
  for (const [index, { topic, partition }] of partitions.entries()) {
    const end = found[index]?.end;
    if (end === undefined)
      throw new RetriableError('SLC_BROKER_OFFSETS', `Kafka gave no end offset of ${topic}-${partition}`);
    const list = map.get(topic) ?? [];
    list[partition] = end;
    map.set(topic, list);
  }
  return map;
}
