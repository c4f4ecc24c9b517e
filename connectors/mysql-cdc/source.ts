/** The capture as a whole: sessions one after the other, with backoff between, until stop or an error that a person has to mend. */
import { createHash } from 'node:crypto';
import { ConfigError, RetriableError, SluiceError, systemClock } from '#topology';
import { SnapshotNeeded } from './change-writer.ts';
import { connectionSettings } from './connection.ts';
import type { Settings } from './context.ts';
import { schemaSubjects, type SchemaSubjects } from './registry.ts';
import { Session } from './session.ts';
import type { MysqlCdc, MysqlCdcOptions, MysqlCdcStats } from './types.ts';

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A session that ran this long was a good one: the next failure starts with the shortest pause. */
const GOOD_SESSION_MS = 10_000;
/** `stop` gives up on committing after this, ms; what is not committed is read again by the next start. */
const STOP_MS = 4_000;

/** Captures tables of MySQL or MariaDB into Kafka, exactly once. Throws ConfigError SLC_CONFIG_MYSQL_URL, SLC_CONFIG_REGISTRY_URL, SLC_CDC_TABLE. */
export function createMysqlCdc(options: MysqlCdcOptions): MysqlCdc {
  if (options.tables.length === 0) throw new ConfigError('SLC_CDC_TABLE', 'there is no table to capture');
  return new MysqlSource(settingsOf(options), schemaSubjects(options.registryUrl), options);
}

function settingsOf(options: MysqlCdcOptions): Settings {
  const { name, registryUrl } = options;
  return {
    mysql: connectionSettings(options.mysqlUrl),
    kafka: options.kafka,
    tables: [...new Set(options.tables)],
    database: options.database,
    topicPrefix: options.topicPrefix,
    name,
    outOfOrdernessMs: options.outOfOrdernessMs,
    serverId: options.serverId ?? derivedServerId(`${name} ${registryUrl}`),
    partitions: options.partitions ?? 6,
    topicLimits: options.topicLimits ?? {},
    maxRows: options.maxRows ?? 5_000,
    lingerMs: options.lingerMs ?? 100,
    maxRecordBytes: options.maxRecordBytes ?? 1_000_000,
    hintMs: options.hintMs ?? 250,
    heartbeatMs: options.heartbeatMs ?? 1_000,
    logger: options.logger,
  };
}

/** The same for every start of this source, another one for other installations; 2^31 and up, where people rarely put theirs. */
function derivedServerId(identity: string): number {
  return (createHash('sha256').update(identity).digest().readUInt32BE(0) | 0x8000_0000) >>> 0;
}

class MysqlSource implements MysqlCdc {
  readonly #settings: Settings;
  readonly #subjects: SchemaSubjects;
  readonly #onFatal: (error: Error) => void;
  readonly #abort = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;
  #session: Session | undefined;
  #again: boolean;
  #running = false;
  #records = 0;
  #snapshotDone = false;
  /** Of the sessions before this one. */
  #hintsBefore = 0;
  #waitingFor: string | undefined;

  constructor(settings: Settings, subjects: SchemaSubjects, options: MysqlCdcOptions) {
    this.#settings = settings;
    this.#subjects = subjects;
    this.#onFatal = options.onFatal ?? ((error) => settings.logger.error({ error: error.message }, 'capture ended'));
    this.#again = options.snapshot === 'again';
  }

  start(): Promise<void> {
    this.#loop ??= this.#run();
    return this.#started.promise;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    if (this.#loop === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#settings.logger.warn(
        {},
        'stopping: Kafka did not take the last changes in time, the next start reads them again',
      );
      resolve();
    }, STOP_MS);
    await Promise.race([this.#loop, promise]);
    clearTimeout(timer);
  }

  stats(): MysqlCdcStats {
    const progress = this.#session?.progress;
    return {
      records: this.#records,
      snapshotDone: this.#snapshotDone,
      lagMs: progress?.lagMs ?? 0,
      position: progress?.position,
      hints: this.#hintsBefore + (progress?.hints ?? 0),
      waitingFor: this.#waitingFor,
    };
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#abort.signal.aborted) {
      const begun = Date.now();
      const error = await this.#runSession();
      if (this.#abort.signal.aborted) break;
      if (error instanceof SnapshotNeeded) {
        this.#again = true;
        this.#settings.logger.warn({ tables: error.tables }, `${error.message}: a new snapshot is taken`);
        continue;
      }
      if (!(error instanceof RetriableError)) return this.#end(error);
      failures = Date.now() - begun > GOOD_SESSION_MS ? 0 : failures + 1;
      await this.#pause(error, failures);
    }
    this.#started.resolve();
  }

  /** What ended the session; undefined after a stop. */
  async #runSession(): Promise<Error | undefined> {
    const session = new Session({
      settings: this.#settings,
      subjects: this.#subjects,
      signal: this.#abort.signal,
      again: this.#again,
      running: () => {
        this.#waitingFor = undefined;
        this.#running = true;
        this.#started.resolve();
      },
      snapshotDone: () => {
        this.#snapshotDone = true;
        this.#again = false;
      },
      committed: (records) => {
        this.#records += records;
      },
    });
    this.#hintsBefore += this.#session?.progress?.hints ?? 0;
    this.#session = session;
    try {
      await session.run();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      await session.close();
    }
  }

  #end(error: Error | undefined): void {
    const reason = error ?? new Error('the capture ended without a reason');
    const { logger } = this.#settings;
    const detail = reason instanceof SluiceError ? { code: reason.code, hint: reason.hint } : { stack: reason.stack };
    logger.error(detail, `change data capture stops: ${reason.message}`);
    if (this.#running) this.#onFatal(reason);
    else this.#started.reject(reason);
  }

  async #pause(error: RetriableError, failures: number): Promise<void> {
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10));
    const ms = Math.round(longest * (0.5 + Math.random() / 2));
    this.#waitingFor = targetOf(error.code);
    this.#settings.logger.warn(
      { code: error.code, ms, failures },
      `waiting for ${this.#waitingFor}: ${error.message}; trying again in ${ms} ms`,
    );
    await systemClock.sleep(ms, this.#abort.signal);
  }
}

function targetOf(code: string): string {
  if (code.startsWith('SLC_REGISTRY')) return 'the schema registry';
  return code.startsWith('SLC_CDC') ? 'MySQL' : 'Kafka';
}
