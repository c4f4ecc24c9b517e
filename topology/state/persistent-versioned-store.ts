import { utf8 } from '../utf8.ts';
import { behindPrefix } from './disk-table.ts';
import { keyKind, keyText } from './key-codec.ts';
import type { ChangelogEntry } from './store.ts';
import { estimate, type PersistentStore, type StoreMirror } from './store-mirror.ts';
import { type Held, Sweep } from './sweep.ts';
import { asBuffer, encodeValue } from './value-codec.ts';
import {
  decodeVersion,
  isBefore,
  type MemoryVersionedStore,
  newestNeeded,
  type Version,
  versionAsOf,
  versionKey,
} from './versioned-store.ts';

/** The versions of one key: all of them in memory, or none. */
interface Row extends Held {
  readonly key: unknown;
  readonly versions: Version[];
}

/** The methods of the store in memory. */
type VersionedStore = Pick<MemoryVersionedStore, keyof MemoryVersionedStore>;

/**
 * A table with history above a file: the rows that were used lately are in memory. On disk the versions of a key lie side by side:
 * key = key length u16 | kind byte | key text | timestamp i64 | coordinate. Changelog as in memory.
 */
export class PersistentVersionedStore implements VersionedStore, PersistentStore {
  readonly name: string;
  readonly #mirror: StoreMirror;
  readonly #rows = new Map<unknown, Row>();
  readonly #touched = new Set<Row>();
  readonly #horizons = new Map<string, number>();
  #changes = new Map<string, ChangelogEntry>();
  #size = 0;
  /** Versions that are on disk and not in memory. */
  #away = 0;
  readonly #sweep: Sweep<Row>;

  constructor(name: string, mirror: StoreMirror) {
    this.name = name;
    this.#mirror = mirror;
    this.#sweep = new Sweep(mirror, {
      held: () => this.#rows.values(),
      isBusy: (row) => this.#touched.has(row),
      letGo: (row) => {
        this.#rows.delete(row.key);
        this.#away += row.versions.length;
      },
    });
  }

  get size(): number {
    return this.#size;
  }

  attach(): void {
    this.#size = this.#away = this.#mirror.table.count();
  }

  diskKey(changelogKey: Uint8Array): Uint8Array {
    const end = 10 + asBuffer(changelogKey).readUInt16BE(8);
    const [timestamp, key, coordinate] = [[0, 8], [8, end], [end]].map(([from, to]) => changelogKey.subarray(from, to));
    return Buffer.concat([key ?? [], timestamp ?? [], coordinate ?? []] as Uint8Array[]);
  }

  put(key: unknown, version: Version): void {
    const row = this.#row(key) ?? this.#add({ key, versions: [], bytes: 0, isUsed: true, epoch: -1 });
    insert(row.versions, version);
    this.#size++;
    const value = encodeValue([version.originWatermark, version.value]);
    this.#resize(row, estimate(value.length));
    this.#change(row, version, value);
    this.#prune(row);
  }

  asOf(key: unknown, at: number, counts: (version: Version) => boolean): Version | undefined {
    const row = this.#row(key);
    return row === undefined ? undefined : versionAsOf(row.versions, at, counts);
  }

  forgetBefore(reader: string, horizon: number): void {
    this.#horizons.set(reader, horizon);
  }

  takeChanges(): ChangelogEntry[] {
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    for (const row of this.#touched) row.epoch = this.#mirror.epoch;
    this.#touched.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    this.#mirror.put(this.diskKey(key), value);
  }

  evict(bytes: number): number {
    return this.#sweep.evict(bytes, this.#rows.size);
  }

  /** Gives back what it has of the budget. */
  clear(): void {
    for (const { bytes } of this.#rows.values()) this.#mirror.budget.add(-bytes);
    this.#rows.clear();
    this.#touched.clear();
    this.#changes.clear();
    this.#horizons.clear();
    this.#size = this.#away = 0;
    this.#sweep.clear();
  }

  #row(key: unknown): Row | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return this.#away === 0 ? undefined : this.#load(key);
    row.isUsed = true;
    return row;
  }

  #load(key: unknown): Row | undefined {
    const prefix = keyPrefix(key);
    const row: Row = { key, versions: [], bytes: 0, isUsed: true, epoch: -1 };
    for (const entry of this.#mirror.table.entries(prefix, behindPrefix(prefix))) {
      const timestamp = Number(entry.key.readBigInt64BE(prefix.length));
      const coordinate = Buffer.from(entry.key.subarray(prefix.length + 8));
      insert(row.versions, { timestamp, coordinate, ...decodeVersion(entry.value) });
      row.bytes += estimate(entry.value.length);
    }
    if (row.versions.length === 0) return undefined;
    this.#away -= row.versions.length;
    return this.#add(row);
  }

  #add(row: Row): Row {
    this.#rows.set(row.key, row);
    this.#mirror.budget.add(row.bytes);
    return row;
  }

  #resize(row: Row, bytes: number): void {
    row.bytes += bytes;
    this.#mirror.budget.add(bytes);
  }

  #prune(row: Row): void {
    const newest = newestNeeded(row.versions, this.#horizons);
    if (newest <= 0) return;
    const share = row.bytes / row.versions.length;
    for (const old of row.versions.splice(0, newest)) {
      this.#size--;
      this.#resize(row, -share);
      this.#change(row, old, null);
    }
  }

  #change(row: Row, version: Version, value: Uint8Array | null): void {
    const bytes = versionKey(row.key, version);
    this.#changes.set(bytes.toString('latin1'), { key: bytes, value, timestamp: Math.max(0, version.timestamp) });
    this.#touched.add(row);
  }
}

function insert(versions: Version[], version: Version): void {
  let at = versions.length;
  while (at > 0 && isBefore(version, versions[at - 1])) at--;
  versions.splice(at, 0, version);
}

function keyPrefix(key: unknown): Buffer {
  const text = utf8((keyKind(key) ?? 't') + keyText(key));
  const bytes = Buffer.allocUnsafe(2 + text.length);
  bytes.writeUInt16BE(text.length, 0);
  bytes.set(text, 2);
  return bytes;
}
