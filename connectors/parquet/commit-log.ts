/**
 * The truth about one partition: a folder of numbered entries, each the next state after the one before. Whoever creates entry N+1 has committed;
 * everybody else who wanted to finds it taken. An entry with a whole list of files comes every CHECKPOINT entries, so that older ones can go.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConnectorError } from '#topology';
import { createExclusively, fileCode, namesIn } from './durable.ts';

/** A committed file. Offsets as text, since JSON's numbers end at 2^53. */
export interface LakeFile {
  /** From the topic's folder, with slashes. */
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  /** 0 as written; a merge of files of level n is of level n + 1. */
  readonly level: number;
  /** Of the columns: only files with the same ones are merged. */
  readonly schema: string;
}

/** What an entry changes. */
export interface LogChange {
  readonly kind: 'claim' | 'write' | 'merge';
  /** Number of the claim entry that the writer holds; a claim's own number for a claim. */
  readonly epoch: number;
  readonly owner: string;
  /** null: nothing was written yet. */
  readonly nextOffset: string | null;
  readonly added: readonly LakeFile[];
  readonly removed: readonly string[];
}

/** An entry as it lies on disk. `files`: the whole list, every CHECKPOINT entries. */
export interface LogEntry extends LogChange {
  readonly format: 1;
  readonly version: number;
  /** Wall clock, ms. */
  readonly at: number;
  readonly files?: readonly LakeFile[];
}

/** The state after an entry. Version 0: the log is empty. */
export interface LogState {
  readonly version: number;
  readonly epoch: number;
  readonly owner: string;
  readonly nextOffset: bigint | null;
  readonly files: ReadonlyMap<string, LakeFile>;
}

const CHECKPOINT = 32;
const DIGITS = 16;
const NAME = /^\d{16}\.json$/;
const ATTEMPTS = 20;

const EMPTY: LogState = { version: 0, epoch: 0, owner: '', nextOffset: null, files: new Map() };

function apply(state: LogState, entry: LogEntry): LogState {
  const files = new Map(entry.files?.map((file) => [file.path, file]) ?? state.files);
  if (entry.files === undefined) {
    for (const path of entry.removed) files.delete(path);
    for (const file of entry.added) files.set(file.path, file);
  }
  const { version, epoch, owner } = entry;
  return { version, epoch, owner, nextOffset: entry.nextOffset === null ? null : BigInt(entry.nextOffset), files };
}

/** One partition's log. Knows nothing between two calls, so any number of processes may use it. */
export class CommitLog {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The newest state, from one known before if there is one. ConnectorError SLC_PARQUET_LOG when entries are missing or unreadable. */
  async read(known: LogState = EMPTY): Promise<LogState> {
    let trouble: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        return await this.#replay(known);
      } catch (error) {
        // Entries may go, and come, between the list and the reading of them: a newer list is whole.
        if (!(error instanceof MissingEntry) && fileCode(error) !== 'ENOENT') throw error;
        trouble = error;
      }
    }
    throw this.#damaged('entries are missing', trouble);
  }

  /**
   * Writes the entry after `state`; the new state, or undefined when another owner was first. When it throws, the entry may be there or not:
   * `read` tells.
   */
  async append(state: LogState, change: LogChange): Promise<LogState | undefined> {
    const version = state.version + 1;
    const plain: LogEntry = { format: 1, version, at: Date.now(), ...change };
    const next = apply(state, plain);
    const entry = version % CHECKPOINT === 0 ? { ...plain, files: [...next.files.values()] } : plain;
    const created = await createExclusively(this.#path(version), `${JSON.stringify(entry)}\n`);
    return created ? next : undefined;
  }

  /** The highest number there is: above one's own, somebody else has gone on. */
  async newest(): Promise<number> {
    return (await this.#versions()).at(-1) ?? 0;
  }

  /** Entries that are no longer needed for the state and older than `before` (wall clock, ms), oldest first. */
  async expired(before: number): Promise<LogEntry[]> {
    const versions = await this.#versions();
    const checkpoint = checkpointOf(versions.at(-1) ?? 0);
    const expired: LogEntry[] = [];
    for (const version of versions) {
      if (version >= checkpoint) break;
      const entry = await this.#entry(version);
      if (entry.at >= before) break;
      expired.push(entry);
    }
    return expired;
  }

  /** Files that entries not older than `since` took away: somebody may still be reading them. */
  async removedSince(since: number): Promise<Set<string>> {
    const removed = new Set<string>();
    for (const version of (await this.#versions()).reverse()) {
      const entry = await this.#entry(version);
      if (entry.at < since) break;
      for (const path of entry.removed) removed.add(path);
    }
    return removed;
  }

  async forget(entry: LogEntry): Promise<void> {
    await rm(this.#path(entry.version), { force: true });
  }

  async #replay(known: LogState): Promise<LogState> {
    const versions = await this.#versions();
    const newest = versions.at(-1) ?? 0;
    const first = Math.max(known.version + 1, checkpointOf(newest));
    const present = new Set(versions);
    // A checkpoint holds all files: what was known before does not matter then.
    let state = known;
    for (let version = first; version <= newest; version += 1) {
      if (!present.has(version)) throw new MissingEntry(`entry ${version} of ${newest}`);
      state = apply(state, await this.#entry(version));
    }
    return state;
  }

  async #entry(version: number): Promise<LogEntry> {
    const text = await readFile(this.#path(version), 'utf8');
    let entry: LogEntry;
    try {
      entry = JSON.parse(text) as LogEntry;
    } catch (error) {
      throw this.#damaged(`entry ${version} is no JSON`, error);
    }
    if (entry.format !== 1 || entry.version !== version) {
      throw this.#damaged(`entry ${version} has format ${String(entry.format)}, which this version does not read`);
    }
    return entry;
  }

  async #versions(): Promise<number[]> {
    const names = (await namesIn(this.folder)).filter((name) => NAME.test(name));
    return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  }

  #path(version: number): string {
    return join(this.folder, `${version.toString().padStart(DIGITS, '0')}.json`);
  }

  #damaged(what: string, cause?: unknown): ConnectorError {
    return new ConnectorError('SLC_PARQUET_LOG', `the log in ${this.folder} is damaged: ${what}`, {
      hint: 'bring its files back from a copy, or move the topic out of the lake: it is then written again from the start',
      where: this.folder,
      cause,
    });
  }
}

class MissingEntry extends Error {}

const checkpointOf = (version: number): number => version - (version % CHECKPOINT);
