/**
 * Fencing and position. Every partition of every topic has a row in sluice.sink_offsets; taking it over counts its epoch up, and each write
 * begins by moving the row from (my epoch, my position) to the new position. A former owner finds no such row and rolls back; one that is
 * still inside its transaction holds the row's lock, so the new owner's claim waits for it and resumes behind it.
 */
import {
  InvariantError,
  RetriableError,
  type SinkPartition,
  type SinkRecord,
  SinkRecordError,
  TaskMigratedError,
} from '#topology';
import type { ClientBase } from 'pg';
import { type EncodedBatch, encodeBatch, type TableWriter } from './batch.ts';
import { type Database, Refused } from './database.ts';
import { isDataError } from './failure.ts';
import type { Table } from './table.ts';

/** Made once, beside the tables. next_offset null: nothing was written yet. */
export const OFFSETS_TABLE = [
  `create table sluice.sink_offsets (
    application text not null, topic text not null, partition integer not null, next_offset bigint, epoch bigint not null,
    owner text not null, updated_at timestamptz not null default now(), primary key (application, topic, partition))`,
  `comment on table sluice.sink_offsets is 'Position and owner of every partition that Sluice writes here; moved in the transaction of the rows.'`,
] as const;

/** Forgets the positions of a topic and fences all its owners. The rows stay, since an epoch must never come again. */
export const FORGET = `
  update sluice.sink_offsets set next_offset = null, epoch = epoch + 1, updated_at = now() where application = $1 and topic = $2`;

const CLAIM = `
  insert into sluice.sink_offsets as held (application, topic, partition, next_offset, epoch, owner) values ($1, $2, $3, null, 1, $4)
  on conflict (application, topic, partition) do update set epoch = held.epoch + 1, owner = excluded.owner, updated_at = now()
  returning next_offset, epoch`;
const ADVANCE = `
  update sluice.sink_offsets set next_offset = $1, updated_at = now()
  where application = $2 and topic = $3 and partition = $4 and epoch = $5 and next_offset is not distinct from $6::bigint`;
const HELD = `
  select next_offset, epoch, owner from sluice.sink_offsets where application = $1 and topic = $2 and partition = $3`;

interface HeldRow {
  readonly next_offset: string | null;
  readonly epoch: string;
  readonly owner: string;
}

/** What a claim is on. */
export interface ClaimOptions {
  readonly database: Database;
  readonly application: string;
  readonly owner: string;
  readonly table: Table;
  readonly writer: TableWriter;
  readonly partition: number;
}

/** Takes a partition over. Waits for a write of the former owner that is under way. */
export async function claimPartition(options: ClaimOptions): Promise<SinkPartition> {
  const { application, owner, table, partition } = options;
  const values = [application, table.topic, partition, owner];
  const { rows } = await options.database.query<HeldRow>({ name: 'sluice_claim', text: CLAIM, values });
  const row = rows[0];
  if (row === undefined) throw new InvariantError('SLC_BUG_SINK_CLAIM', 'the claim returned no row');
  return new PostgresPartition(options, row.epoch, row.next_offset === null ? null : BigInt(row.next_offset));
}

class PostgresPartition implements SinkPartition {
  readonly #options: ClaimOptions;
  readonly #epoch: string;
  #next: bigint | null;
  /** Where the last write wanted to go whose commit was not answered. */
  #doubtful: bigint | undefined;
  #writing = false;

  constructor(options: ClaimOptions, epoch: string, next: bigint | null) {
    this.#options = options;
    this.#epoch = epoch;
    this.#next = next;
  }

  get nextOffset(): bigint | null {
    return this.#next;
  }

  async write(records: readonly SinkRecord[], nextOffset: bigint): Promise<void> {
    this.#check(records, nextOffset);
    const batch = encodeBatch(this.#options.table, records);
    if (batch.rejected.length > 0) throw this.#refuse(batch.rejected);
    this.#writing = true;
    try {
      await this.#commit(batch, nextOffset);
    } finally {
      this.#writing = false;
    }
    this.#next = nextOffset;
    this.#doubtful = undefined;
  }

  async close(): Promise<void> {
    // The row stays as it is: the next owner's claim fences this one.
  }

  /** The caller's mistakes must not become rows: a position never goes back, and no record is written twice. */
  #check(records: readonly SinkRecord[], nextOffset: bigint): void {
    const first = records[0]?.offset ?? nextOffset;
    const last = records.at(-1)?.offset ?? -1n;
    if (this.#writing || first < (this.#next ?? 0n) || last >= nextOffset || nextOffset < (this.#next ?? 0n)) {
      const { table, partition } = this.#options;
      throw new InvariantError(
        'SLC_BUG_SINK_POSITION',
        `${table.topic}/${partition}: offsets ${first}..${last} up to ${nextOffset} do not continue ${this.#next}` +
          (this.#writing ? ' (a write is under way)' : ''),
      );
    }
  }

  async #commit(batch: EncodedBatch, to: bigint): Promise<void> {
    const { database, writer, partition } = this.#options;
    let refused = false;
    try {
      await database.transaction(async (client) => {
        if (!(await this.#advance(client, to))) return;
        // From here on the row's lock is held: nobody else writes this partition.
        this.#doubtful = to;
        await writer.write(client, partition, batch).catch((error: unknown) => {
          refused = isDataError(error);
          throw error;
        });
      });
    } catch (error) {
      if (!refused) throw error;
      await this.#findRefused(batch, to, error);
    }
  }

  /** True when the row was moved; false when an earlier, unanswered commit of this very write had moved it. */
  async #advance(client: ClientBase, to: bigint): Promise<boolean> {
    const { application, table, partition } = this.#options;
    const from = this.#next === null ? null : this.#next.toString();
    const identity = [application, table.topic, partition];
    const values = [to.toString(), ...identity, this.#epoch, from];
    const moved = await client.query({ name: 'sluice_advance', text: ADVANCE, values });
    if (moved.rowCount === 1) return true;
    const { rows } = await client.query<HeldRow>({ name: 'sluice_held', text: HELD, values: identity });
    const held = rows[0];
    if (this.#doubtful === to && held?.epoch === this.#epoch && held.next_offset === to.toString()) return false;
    throw new Refused(
      new TaskMigratedError(
        'SLC_TASK_MIGRATED',
        `${table.topic}/${partition} in ${table.title} is at epoch ${held?.epoch}, offset ${held?.next_offset} ` +
          `(owner ${held?.owner}); this owner had epoch ${this.#epoch}, offset ${from}`,
        { where: `${table.topic}/${partition}` },
      ),
    );
  }

  /** Names the records that made a write fail. Under the same lock, and rolled back: a write without them follows. */
  async #findRefused(batch: EncodedBatch, to: bigint, cause: unknown): Promise<never> {
    const { database, table, writer, partition } = this.#options;
    return database.transaction<never>(async (client) => {
      await this.#advance(client, to);
      const rejected = await writer.findRefused(client, partition, batch);
      if (rejected.length > 0) throw new Refused(this.#refuse(rejected));
      throw new Refused(
        new RetriableError('SLC_POSTGRES_AWAY', `table ${table.title} refused a write, but no single record of it`, {
          cause,
        }),
      );
    });
  }

  #refuse(rejected: EncodedBatch['rejected']): Error {
    return new SinkRecordError('SLC_RECORD_POSTGRES', `table ${this.#options.table.title}`, rejected);
  }
}
