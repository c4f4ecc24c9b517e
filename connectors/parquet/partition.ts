/** One partition's claim: writes files, then commits them with the position as one entry of the log. */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  InvariantError,
  RetriableError,
  type SinkPartition,
  type SinkRecord,
  SinkRecordError,
  TaskMigratedError,
} from '#topology';
import { CommitLog, type LakeFile, type LogChange, type LogState } from './commit-log.ts';
import { checkFiles } from './compatible.ts';
import { fileCode, fileError, makeFolder, putFile, syncFolder } from './durable.ts';
import { encodeFile, encodeRecords, filePath, hourFolder, type HourRows, type LakeTable, logFolder } from './table.ts';

/** What a claim is on. */
export interface ClaimOptions {
  readonly table: LakeTable;
  readonly partition: number;
  readonly owner: string;
  /** Called after a commit: small files may be worth a merge. */
  onCommit(claim: LakePartition): void;
}

/** Owners that commit all the time can be in the way of a claim; so many times in a row they are not. */
const CLAIM_ATTEMPTS = 200;
const PARALLEL_FILES = 4;

/** Takes a partition over, if its files and those of the table's schema go together: from the entry that it writes on, the former owner's next entry is not the next any more. */
export async function claimPartition(options: ClaimOptions): Promise<LakePartition> {
  const { table, partition, owner } = options;
  const log = new CommitLog(logFolder(table.folder, partition));
  try {
    await makeFolder(log.folder);
    let state: LogState | undefined;
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt += 1) {
      // From where the last attempt was: reading all again takes longer than a busy owner takes for its next entry.
      state = await log.read(state);
      await checkFiles(table, state.files.values());
      const claimed = await log.append(state, {
        kind: 'claim',
        epoch: state.version + 1,
        owner,
        nextOffset: state.nextOffset?.toString() ?? null,
        added: [],
        removed: [],
      });
      // A number that had been used and pruned is no claim.
      if (claimed !== undefined && (await log.newest()) === claimed.version)
        return new LakePartition(options, log, claimed);
    }
  } catch (error) {
    throw fileError(error, table.folder);
  }
  throw new RetriableError('SLC_PARQUET_AWAY', `${table.topic}/${partition}: others keep writing its log`, {
    hint: 'is another application writing the same lake? Give each its own folder',
  });
}

/** The owner's side of a partition. */
export class LakePartition implements SinkPartition {
  readonly table: LakeTable;
  readonly partition: number;
  readonly log: CommitLog;
  /** The number of the claim's entry. */
  readonly epoch: number;
  /** Ends what goes on in the background. */
  readonly closed = new AbortController();
  readonly #options: ClaimOptions;
  #state: LogState;
  /** An entry may have been written though its commit failed: the log must be asked before the next one. */
  #doubt = false;
  #writing = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: ClaimOptions, log: CommitLog, state: LogState) {
    this.#options = options;
    this.table = options.table;
    this.partition = options.partition;
    this.log = log;
    this.epoch = state.epoch;
    this.#state = state;
  }

  get nextOffset(): bigint | null {
    return this.#state.nextOffset;
  }

  get files(): ReadonlyMap<string, LakeFile> {
    return this.#state.files;
  }

  async write(records: readonly SinkRecord[], nextOffset: bigint): Promise<void> {
    this.#check(records, nextOffset);
    const { hours, rejected } = encodeRecords(this.table, this.partition, records);
    if (rejected.length > 0) throw new SinkRecordError('SLC_RECORD_PARQUET', `the lake (${this.#where})`, rejected);
    this.#writing = true;
    try {
      await this.#write(hours, nextOffset);
    } catch (error) {
      // A later owner takes away what this one had not committed, even under its hands.
      if (fileCode(error) === 'ENOENT') await this.refresh();
      throw fileError(error, this.table.folder);
    } finally {
      this.#writing = false;
    }
    this.#options.onCommit(this);
  }

  /** Puts `merged` in the place of files that it holds the rows of. */
  async replace(merged: LakeFile, replaced: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      await this.#settle();
      if (!replaced.every((path) => this.#state.files.has(path))) {
        throw new InvariantError('SLC_BUG_SINK_MERGE', `${this.#where}: a file to be merged is none of its files`);
      }
      const nextOffset = this.#state.nextOffset?.toString() ?? null;
      await this.#commit({ kind: 'merge', nextOffset, added: [merged], removed: replaced }, [merged.path]);
    });
  }

  /** The newest state in the log, while this claim holds. */
  async refresh(): Promise<LogState> {
    const state = await this.log.read(this.#state);
    if (state.epoch !== this.epoch) throw this.#fenced(state);
    return state;
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.#tail.catch(() => undefined);
  }

  get #where(): string {
    return `${this.table.topic}/${this.partition}`;
  }

  /** The caller's mistakes must not become rows: a position never goes back, and no record is written twice. */
  #check(records: readonly SinkRecord[], nextOffset: bigint): void {
    const next = this.#state.nextOffset ?? 0n;
    const first = records[0]?.offset ?? nextOffset;
    const last = records.at(-1)?.offset ?? -1n;
    if (!this.#writing && first >= next && last < nextOffset && nextOffset >= next) return;
    throw new InvariantError(
      'SLC_BUG_SINK_POSITION',
      `${this.#where}: offsets ${first}..${last} up to ${nextOffset} do not continue ${this.#state.nextOffset}` +
        (this.#writing ? ' (a write is under way)' : ''),
    );
  }

  async #write(hours: readonly HourRows[], nextOffset: bigint): Promise<void> {
    // Encoded before anything is waited for: what the caller does with its records afterwards is its own affair.
    const encoded = await Promise.all(
      hours.map(async (each) => ({ ...each, bytes: await encodeFile(this.table, each.group) })),
    );
    await this.#exclusively(async () => {
      const before = this.#state.nextOffset;
      await this.#settle();
      if (this.#state.nextOffset !== before) {
        // A commit whose answer was lost had worked: of this very write, or of one that the caller has given up.
        if (this.#state.nextOffset === nextOffset) return;
        throw this.#fenced(this.#state);
      }
      const added = await this.#putFiles(encoded);
      const change = { kind: 'write', nextOffset: nextOffset.toString(), added, removed: [] } as const;
      await this.#commit(
        change,
        added.map((file) => file.path),
      );
    });
  }

  async #putFiles(encoded: readonly (HourRows & { readonly bytes: Uint8Array })[]): Promise<LakeFile[]> {
    const files = encoded.map(({ hour, firstOffset: first, lastOffset: last, group, bytes }) => ({
      bytes,
      file: {
        path: filePath(this.table, this.partition, hourFolder(hour), { first, last, epoch: this.epoch }),
        rows: group.rows,
        bytes: bytes.length,
        firstOffset: first.toString(),
        lastOffset: last.toString(),
        level: 0,
        schema: this.table.schema,
      },
    }));
    const queue = [...files];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await this.putFile(next.file.path, next.bytes);
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: PARALLEL_FILES }, work));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return files.map(({ file }) => file);
    await this.discard(files.map(({ file }) => file.path));
    throw failed.reason;
  }

  /** A durable file; `path` from the topic's folder. Nobody sees it before it is committed. */
  async putFile(path: string, bytes: Uint8Array): Promise<void> {
    const full = join(this.table.folder, path);
    await makeFolder(dirname(full));
    await putFile(full, bytes);
    await syncFolder(dirname(full));
  }

  /** Removes files that were never committed, as well as it can: what stays is found by the next owner. */
  async discard(paths: readonly string[]): Promise<void> {
    await Promise.all(paths.map((path) => rm(join(this.table.folder, path), { force: true }).catch(() => undefined)));
  }

  /** After a commit that may have worked: takes over what the log says. */
  async #settle(): Promise<void> {
    if (!this.#doubt) return;
    this.#state = await this.refresh();
    this.#doubt = false;
  }

  async #commit(change: Omit<LogChange, 'epoch' | 'owner'>, paths: readonly string[]): Promise<void> {
    const { owner } = this.#options;
    this.#doubt = true;
    const next = await this.log.append(this.#state, { ...change, epoch: this.epoch, owner });
    if (next === undefined) {
      await this.discard(paths);
      throw this.#fenced(await this.log.read(this.#state));
    }
    // Others went on meanwhile, or long ago and the number was free again. Either way it is for the next claim to say where.
    if ((await this.log.newest()) !== next.version) throw this.#fenced(await this.log.read(this.#state));
    this.#state = next;
    this.#doubt = false;
  }

  #fenced(state: LogState): TaskMigratedError {
    return new TaskMigratedError(
      'SLC_TASK_MIGRATED',
      `${this.#where} in the lake is at epoch ${state.epoch}, offset ${state.nextOffset} (owner ${state.owner}); ` +
        `this owner had epoch ${this.epoch}, offset ${this.#state.nextOffset}`,
      { where: this.#where },
    );
  }

  /** Entries are one after the other, those of writes and of merges. */
  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work, work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
