import type { Coordinate } from '../time/coordinate.ts';
import { keyFromText, keyKind, keyText } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';
import { utf8 } from '../utf8.ts';

/** One version of a row. `value` null = deleted. */
export interface Version {
  readonly timestamp: number;
  readonly coordinate: Coordinate;
  /** ow of the record that brought it: a reader with its own grace decides whether it counts. */
  readonly originWatermark: number;
  readonly value: unknown;
}

/**
 * A table with history: per key its versions in (timestamp, coordinate) order.
 * Changelog: key = timestamp i64 | key length u16 | kind byte | key text | coordinate; value = JSON [ow, value].
 */
export class MemoryVersionedStore implements StateStore {
  readonly name: string;
  readonly #rows = new Map<unknown, Version[]>();
  #changes = new Map<string, ChangelogEntry>();
  #size = 0;
  readonly #horizons = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  /** Versions held. */
  get size(): number {
    return this.#size;
  }

  /** Adds a version and drops those of the same key that nobody can ask for any more. */
  put(key: unknown, version: Version): void {
    const versions = this.#insert(key, version);
    this.#change(key, version, encodeValue([version.originWatermark, version.value]));
    this.#prune(key, versions);
  }

  /** The newest version with timestamp <= `at` that `counts` takes; undefined when there is none. */
  asOf(key: unknown, at: number, counts: (version: Version) => boolean): Version | undefined {
    const versions = this.#rows.get(key);
    return versions === undefined ? undefined : versionAsOf(versions, at, counts);
  }

  /**
   * `reader` will not ask for an instant before `horizon` (ms) again. What no reader asks for goes, but for the newest version, when its key is
   * written next.
   */
  forgetBefore(reader: string, horizon: number): void {
    this.#horizons.set(reader, horizon);
  }

  takeChanges(): ChangelogEntry[] {
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const bytes = asBuffer(key);
    const timestamp = Number(bytes.readBigInt64BE(0));
    const length = bytes.readUInt16BE(8);
    const kind = bytes.toString('latin1', 10, 11);
    const rowKey = keyFromText(bytes.toString('utf8', 11, 10 + length), kind === 't' ? undefined : kind);
    const coordinate = Buffer.from(bytes.subarray(10 + length));
    this.#remove(rowKey, timestamp, coordinate);
    if (value === null) return;
    this.#insert(rowKey, { timestamp, coordinate, ...decodeVersion(asBuffer(value)) });
  }

  clear(): void {
    this.#rows.clear();
    this.#changes.clear();
    this.#size = 0;
    this.#horizons.clear();
  }

  #insert(key: unknown, version: Version): Version[] {
    let versions = this.#rows.get(key);
    if (versions === undefined) this.#rows.set(key, (versions = []));
    let at = versions.length;
    while (at > 0 && isBefore(version, versions[at - 1])) at--;
    versions.splice(at, 0, version);
    this.#size++;
    return versions;
  }

  #remove(key: unknown, timestamp: number, coordinate: Coordinate): void {
    const versions = this.#rows.get(key);
    const at = versions?.findIndex((each) => each.timestamp === timestamp && each.coordinate.equals(coordinate)) ?? -1;
    if (versions === undefined || at < 0) return;
    versions.splice(at, 1);
    this.#size--;
    if (versions.length === 0) this.#rows.delete(key);
  }

  #prune(key: unknown, versions: Version[]): void {
    const newest = newestNeeded(versions, this.#horizons);
    if (newest <= 0) return;
    for (const old of versions.splice(0, newest)) {
      this.#size--;
      this.#change(key, old, null);
    }
  }

  #change(key: unknown, version: Version, value: Uint8Array | null): void {
    const bytes = versionKey(key, version);
    this.#changes.set(bytes.toString('latin1'), { key: bytes, value, timestamp: Math.max(0, version.timestamp) });
  }
}

/** The newest version at or before `at` (ms) that counts. */
export function versionAsOf(
  versions: readonly Version[],
  at: number,
  counts: (version: Version) => boolean,
): Version | undefined {
  for (let i = versions.length - 1; i >= 0; i--) {
    const version = versions[i];
    if (version !== undefined && version.timestamp <= at && counts(version)) return version;
  }
  return undefined;
}

/** Index of the first version that somebody may ask for, by what each reader has left behind (ms); what is before it may go. -1: nobody tells. */
export function newestNeeded(versions: readonly Version[], horizons: ReadonlyMap<string, number>): number {
  if (horizons.size === 0 || versions.length < 2) return -1;
  const horizon = Math.min(...horizons.values());
  let newest = -1;
  for (const [i, version] of versions.entries()) {
    if (version.timestamp > horizon) break;
    // Only a version that was in time counts for readers of every grace; one that was late must not displace it.
    if (version.originWatermark <= version.timestamp) newest = i;
  }
  return newest;
}

/** The order of versions: by timestamp, then coordinate. */
export function isBefore(a: Version, b: Version | undefined): boolean {
  if (b === undefined) return false;
  return a.timestamp < b.timestamp || (a.timestamp === b.timestamp && Buffer.compare(a.coordinate, b.coordinate) < 0);
}

/** What the changelog's value of a version holds. */
export function decodeVersion(value: Buffer): Pick<Version, 'originWatermark' | 'value'> {
  const [originWatermark, row] = decodeValue(value) as [number, unknown];
  return { originWatermark, value: row };
}

/** The key of a version in the changelog. */
export function versionKey(key: unknown, version: Pick<Version, 'timestamp' | 'coordinate'>): Buffer {
  const text = utf8((keyKind(key) ?? 't') + keyText(key));
  const bytes = Buffer.allocUnsafe(10 + text.length + version.coordinate.length);
  bytes.writeBigInt64BE(BigInt(version.timestamp), 0);
  bytes.writeUInt16BE(text.length, 8);
  bytes.set(text, 10);
  version.coordinate.copy(bytes, 10 + text.length);
  return bytes;
}
