/**
 * The file below the persistent stores of one slot, and the lock on it (docs/decisions/0007). Each write is one transaction: changes of stores, and the
 * changelog offsets up to which they go. A killed process leaves whole transactions behind; a file that a power cut may have hurt is not used.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError, InvariantError, RetriableError, SluiceError, TaskCorruptedError } from '../errors.ts';
import { type DiskEntry, DiskTable, tableNameOf } from './disk-table.ts';

/** Whose state it is. Another one's is not used. */
export interface SlotIdentity {
  readonly app: string;
  /** Of the topology. */
  readonly epoch: string;
  readonly partition: number;
}

/** A store's content on disk is that of its changelog before `offset`; written at `at`, ms of wall clock. */
export interface Checkpoint {
  readonly offset: bigint;
  readonly at: number;
}

/** What one write changes of a store, in key order. */
export interface StoreWrite {
  readonly store: string;
  readonly entries: Iterable<DiskEntry>;
  /** Up to where its changelog is in it. */
  readonly offset: bigint | undefined;
}

const FORMAT = 1;
const FILE = 'state.sqlite';
const OWNER = 'owner';
const PLACE = 'place';
/** Of its page cache: what it takes in memory. */
export const DISK_CACHE_BYTES = 2 * 2 ** 20;

/** Changes when the machine is started; undefined where the system does not tell. */
const BOOT = bootId();
/** Without a boot id the file must stay whole by itself. */
const SYNCHRONOUS = BOOT === undefined ? 'NORMAL' : 'OFF';

/** SQLite's primary result codes. */
const CODE = { busy: 5, locked: 6, readOnly: 8, corrupt: 11, full: 13, notADatabase: 26 } as const;

export class StateDisk {
  readonly directory: string;
  /** The first error; nothing may be committed after it. */
  failure: SluiceError | undefined;
  readonly #db: DatabaseSync;
  readonly #tables = new Map<string, DiskTable>();
  readonly #checkpoints = new Map<string, Checkpoint>();

  /**
   * Opens or makes the file. What cannot be used is deleted, and `onUnusable` hears why. RetriableError SLC_STATE_LOCKED while another process has it;
   * ConfigError SLC_STATE_FULL, SLC_STATE_DISK.
   */
  static open(directory: string, identity: SlotIdentity, onUnusable: (reason: string) => void): StateDisk {
    for (let attempt = 1; ; attempt++) {
      let db: DatabaseSync | undefined;
      let reason: string | undefined;
      try {
        mkdirSync(directory, { recursive: true });
        db = new DatabaseSync(join(directory, FILE), { timeout: 0 });
        lock(db);
        reason = whyUnusable(db, identity);
        if (reason === undefined) {
          begin(db, identity);
          writeFileSync(join(directory, OWNER), `${process.pid}\n`);
          return new StateDisk(directory, db);
        }
      } catch (error) {
        const problem = stateError(error, directory);
        if (!(problem instanceof TaskCorruptedError) || attempt > 1) {
          closeQuietly(db);
          throw problem;
        }
        reason = problem.message;
      }
      if (attempt > 1) throw new InvariantError('SLC_BUG', `${directory}: a fresh file cannot be used: ${reason}`);
      onUnusable(reason);
      closeQuietly(db);
      wipe(directory);
    }
  }

  private constructor(directory: string, db: DatabaseSync) {
    this.directory = directory;
    this.#db = db;
    const rows = db.prepare('SELECT store, offset, at FROM checkpoints').all() as unknown as {
      store: string;
      offset: string;
      at: number;
    }[];
    for (const { store, offset, at } of rows) this.#checkpoints.set(store, { offset: BigInt(offset), at });
  }

  table(store: string): DiskTable {
    let table = this.#tables.get(store);
    if (table === undefined) {
      table = this.#guard(() => new DiskTable(this.#db, store, (work) => this.#guard(work)));
      this.#tables.set(store, table);
    }
    return table;
  }

  /** undefined: nothing is known of the store. */
  checkpoint(store: string): Checkpoint | undefined {
    return this.#checkpoints.get(store);
  }

  /** All of it or nothing. Call it only with what is committed. */
  write(writes: readonly StoreWrite[], now: number): void {
    const checkpoints = new Map<string, bigint>();
    this.#transaction(() => {
      const save = this.#db.prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)');
      for (const { store, entries, offset } of writes) {
        const table = this.table(store);
        for (const entry of entries) table.write(entry);
        if (offset === undefined) continue;
        save.run(store, String(offset), now);
        checkpoints.set(store, offset);
      }
      // Who writes has just committed: all that it knows of the others is of now, too.
      this.#db.prepare('UPDATE checkpoints SET at = ?').run(now);
    });
    for (const [store, { offset }] of this.#checkpoints) this.#checkpoints.set(store, { offset, at: now });
    for (const [store, offset] of checkpoints) this.#checkpoints.set(store, { offset, at: now });
  }

  /** Forgets stores: their content does not fit their changelog. */
  discard(stores: readonly string[]): void {
    this.#transaction(() => {
      for (const store of stores) {
        this.table(store);
        this.#db.exec(`DELETE FROM ${tableNameOf(store)}`);
        this.#db.prepare('DELETE FROM checkpoints WHERE store = ?').run(store);
      }
    });
    for (const store of stores) this.#checkpoints.delete(store);
  }

  /** `synced`: it is good after a power cut too, which takes a moment. After a failure it is left as it is; one that is corrupt is deleted. */
  close(synced: boolean): void {
    if (synced && this.failure === undefined) {
      try {
        this.#db.exec('PRAGMA synchronous = FULL');
        this.#db.exec("UPDATE meta SET value = 'yes' WHERE name = 'closed in order'");
        this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch {
        // The next one sees that it was not closed in order.
      }
    }
    closeQuietly(this.#db);
    if (this.failure instanceof TaskCorruptedError) wipe(this.directory);
  }

  #transaction(work: () => void): void {
    this.#guard(() => {
      this.#db.exec('BEGIN');
      try {
        work();
        this.#db.exec('COMMIT');
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const problem = stateError(error, this.directory);
      this.failure ??= problem;
      throw problem;
    }
  }
}

/**
 * A name of the directory that no other one has: the same for all processes that share it. ConfigError SLC_STATE_FULL, SLC_STATE_DISK when it cannot be
 * kept there.
 */
export function placeOf(directory: string): string {
  const file = join(directory, PLACE);
  try {
    mkdirSync(directory, { recursive: true });
    if (!existsSync(file)) {
      // Of several that begin together one makes it, and none reads half of it.
      const own = `${file}.${process.pid}`;
      writeFileSync(own, randomUUID());
      if (!existsSync(file)) linkQuietly(own, file);
      rmSync(own);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw stateError(error, directory);
  }
}

function linkQuietly(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Held until the connection closes, however the process ends. */
function lock(db: DatabaseSync): void {
  db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${SYNCHRONOUS}`);
  db.exec(`PRAGMA cache_size = -${DISK_CACHE_BYTES / 1_024}; PRAGMA wal_autocheckpoint = 2000; PRAGMA mmap_size = 0`);
  db.exec(`PRAGMA journal_size_limit = ${16 * 2 ** 20}`);
  db.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL); COMMIT');
}

function whyUnusable(db: DatabaseSync, identity: SlotIdentity): string | undefined {
  const rows = db.prepare('SELECT name, value FROM meta').all() as unknown as { name: string; value: string }[];
  const meta = new Map(rows.map(({ name, value }) => [name, value]));
  const is = meta.get('identity');
  if (is === undefined) {
    const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_master WHERE type = ?').get('table') as {
      tables: number;
    };
    return tables > 1 ? 'nothing tells whose it is' : undefined;
  }
  if (is !== identityText(identity)) return `it is of ${is}, not of ${identityText(identity)}`;
  const isSame = BOOT === undefined || meta.get('boot') === BOOT;
  if (isSame || meta.get('closed in order') === 'yes') return undefined;
  return 'the machine was started anew since it was written, and it was not closed in order';
}

/** From here on it is open. What says that it was closed in order must go before anything else is written. */
function begin(db: DatabaseSync, identity: SlotIdentity): void {
  db.exec('CREATE TABLE IF NOT EXISTS checkpoints (store TEXT PRIMARY KEY, offset TEXT NOT NULL, at INTEGER NOT NULL)');
  const closed = db.prepare("SELECT 1 FROM meta WHERE name = 'closed in order' AND value = 'yes'").get();
  if (closed !== undefined) db.exec('PRAGMA synchronous = FULL');
  const save = db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  db.exec('BEGIN');
  save.run('identity', identityText(identity));
  save.run('boot', BOOT ?? '');
  save.run('closed in order', 'no');
  db.exec('COMMIT');
  db.exec(`PRAGMA synchronous = ${SYNCHRONOUS}`);
}

function identityText({ app, epoch, partition }: SlotIdentity): string {
  return JSON.stringify({ format: FORMAT, app, epoch, partition });
}

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The owner's name stays: who waits for the lock reads it. */
function wipe(directory: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(join(directory, FILE + suffix), { force: true });
}

function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // What it held is gone with it.
  }
}

function ownerOf(directory: string): string {
  try {
    return `process ${readFileSync(join(directory, OWNER), 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
}

function stateError(error: unknown, directory: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const { errcode, code, message } = error as { errcode?: number; code?: string; message: string };
  const detail = { where: directory, cause: error };
  switch ((errcode ?? 0) & 0xff) {
    case CODE.busy:
    case CODE.locked:
      return new RetriableError('SLC_STATE_LOCKED', `${directory} is used by ${ownerOf(directory)}`, {
        ...detail,
        hint: 'end that process, or give each application (--app) and each container a directory of its own (SLUICE_STATE_DIR)',
      });
    case CODE.corrupt:
    case CODE.notADatabase:
      return new TaskCorruptedError('SLC_STATE_CORRUPTED', `${directory}: ${message}`, detail);
    case CODE.full:
      return diskFull(directory, error);
    default:
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(directory, error);
  return new ConfigError('SLC_STATE_DISK', `${directory}: ${message}`, {
    ...detail,
    hint: 'the state directory must be a local disk that this user may write (SLUICE_STATE_DIR); SLUICE_STATE=memory does without',
  });
}

function diskFull(directory: string, cause: unknown): ConfigError {
  return new ConfigError('SLC_STATE_FULL', `no space is left for the state in ${directory}`, {
    where: directory,
    cause,
    hint: 'make room, or give SLUICE_STATE_DIR a larger disk; nothing is lost: what is not there is restored from the changelogs',
  });
}
