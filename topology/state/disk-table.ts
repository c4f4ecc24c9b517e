import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { TaskCorruptedError } from '../errors.ts';
import { asBuffer } from './value-codec.ts';

/** One entry as it lies on disk; `value` null: it is to go. */
export interface DiskEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

type Row = [key: Uint8Array, value: Uint8Array, checksum: number];

/** Runs an operation of the file, and makes of its errors what the engine knows. */
export type DiskGuard = <T>(work: () => T) => T;

const END = Buffer.alloc(0);

/**
 * What one store has on disk: bytes by key, in byte order. Reads see what the last write has left there. TaskCorruptedError SLC_STATE_CORRUPTED for what
 * is not what was written.
 */
export class DiskTable {
  readonly #name: string;
  readonly #guard: DiskGuard;
  readonly #get: StatementSync;
  readonly #page: StatementSync;
  readonly #count: StatementSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  constructor(db: DatabaseSync, name: string, guard: DiskGuard) {
    this.#name = name;
    this.#guard = guard;
    const table = tableNameOf(name);
    db.exec(
      `CREATE TABLE IF NOT EXISTS ${table} (k BLOB PRIMARY KEY, v BLOB NOT NULL, c INTEGER NOT NULL) WITHOUT ROWID`,
    );
    this.#get = db.prepare(`SELECT k, v, c FROM ${table} WHERE k = ?`);
    // An empty blob is below every key: it stands for no end.
    this.#page = db.prepare(`SELECT k, v, c FROM ${table} WHERE k >= ?1 AND (k < ?2 OR ?2 = x'') ORDER BY k LIMIT ?3`);
    this.#count = db.prepare(`SELECT count(*) FROM ${table} WHERE k >= ?1 AND (k < ?2 OR ?2 = x'')`);
    this.#put = db.prepare(
      `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v, c = excluded.c`,
    );
    this.#remove = db.prepare(`DELETE FROM ${table} WHERE k = ?`);
    for (const statement of [this.#get, this.#page, this.#count]) statement.setReturnArrays(true);
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.#guard(() => {
      const row = this.#get.get(key) as unknown as Row | undefined;
      return row === undefined ? undefined : this.#checked(row).value;
    });
  }

  /** At most `limit` entries with from <= key < to, in order; without `to`, to the end. */
  page(from: Uint8Array, to: Uint8Array | undefined, limit: number): { key: Buffer; value: Buffer }[] {
    return this.#guard(() => {
      const rows = this.#page.all(from, to ?? END, limit) as unknown as Row[];
      return rows.map((row) => this.#checked(row));
    });
  }

  /** All entries with from <= key < to, in order. They may be written to meanwhile. */
  *entries(from: Uint8Array = END, to?: Uint8Array): IterableIterator<{ key: Buffer; value: Buffer }> {
    const limit = 512;
    for (let next = from; ;) {
      const page = this.page(next, to, limit);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      next = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  count(from: Uint8Array = END, to?: Uint8Array): number {
    return this.#guard(() => {
      const row = this.#count.get(from, to ?? END) as unknown as [number];
      return row[0];
    });
  }

  /** Within a transaction of the file. */
  write({ key, value }: DiskEntry): void {
    if (value === null) this.#remove.run(key);
    else this.#put.run(key, value, crc32(value, crc32(key)));
  }

  #checked([key, value, checksum]: Row): { key: Buffer; value: Buffer } {
    if (crc32(value, crc32(key)) !== checksum) {
      throw new TaskCorruptedError(
        'SLC_STATE_CORRUPTED',
        `store ${this.#name}: an entry on disk is not what was written`,
      );
    }
    return { key: asBuffer(key), value: asBuffer(value) };
  }
}

/** The table of a store, as SQL. */
export function tableNameOf(store: string): string {
  return `"store ${store.replaceAll('"', '""')}"`;
}

/** The least key behind all that begin with `prefix`; undefined: there is none. */
export function behindPrefix(prefix: Uint8Array): Buffer | undefined {
  const next = Buffer.from(prefix);
  for (let i = next.length - 1; i >= 0; i--) {
    const byte = next[i] ?? 0;
    if (byte === 0xff) continue;
    next[i] = byte + 1;
    return next.subarray(0, i + 1);
  }
  return undefined;
}
