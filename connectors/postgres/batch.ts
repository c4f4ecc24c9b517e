/** Records as the upserts and deletes of one table: the last record of a key wins, values travel as one array per column. */
import { type RejectedRecord, type SinkRecord } from '#topology';
import { type ClientBase, escapeIdentifier } from 'pg';
import { isDataError } from './failure.ts';
import type { Table } from './table.ts';
import { encodeText, UnfitValue } from './types.ts';

/** One key of a batch: `values` in column order as array elements, null for a delete. */
interface Change {
  readonly key: string;
  readonly offset: bigint;
  readonly values: readonly string[] | null;
}

/** Records ready to be written. */
export interface EncodedBatch {
  readonly upserts: readonly Change[];
  readonly deletes: readonly Change[];
  /** Records that no statement can hold. The others are only written without them. */
  readonly rejected: readonly RejectedRecord[];
}

/** Rows per statement: bounds a message to the server at a few MB. */
const CHUNK = 2_000;

function encodeValues(table: Table, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) throw new UnfitValue('the value is no record');
  return table.columns.map((column) => {
    const field: unknown = Reflect.get(value, column.field ?? column.name);
    if (field !== null && field !== undefined) {
      try {
        return column.type.encode(field);
      } catch (error) {
        throw error instanceof UnfitValue ? new UnfitValue(`column ${column.name}: ${error.message}`) : error;
      }
    }
    if (!column.nullable) throw new UnfitValue(`column ${column.name}: null where the schema has none`);
    return 'NULL';
  });
}

/** Encodes all records, superseded ones too, so that what is rejected does not depend on how batches are cut. */
export function encodeBatch(table: Table, records: readonly SinkRecord[]): EncodedBatch {
  const changes = new Map<string, Change>();
  const rejected: RejectedRecord[] = [];
  for (const { key, value, offset } of records) {
    try {
      if (typeof key !== 'string') throw new UnfitValue('the key is no text');
      const values = value === null ? null : encodeValues(table, value);
      changes.set(key, { key: encodeText(key), offset, values });
    } catch (error) {
      if (!(error instanceof UnfitValue)) throw error;
      rejected.push({ offset, reason: error.message });
    }
  }
  const all = [...changes.values()];
  return {
    upserts: all.filter((change) => change.values !== null),
    deletes: all.filter((change) => change.values === null),
    rejected,
  };
}

function arrayOf(elements: readonly string[]): string {
  return `{${elements.join(',')}}`;
}

/** The prepared statements of a table. Their names are unique per process: a connection keeps the plan under the name. */
export class TableWriter {
  readonly #upsert: { readonly name: string; readonly text: string };
  readonly #delete: { readonly name: string; readonly text: string };
  readonly #columns: number;

  constructor(table: Table, id: number) {
    const names = ['key', ...table.columns.map((column) => column.name), '_offset'].map(escapeIdentifier);
    const types = ['text', ...table.columns.map((column) => column.type.sql), 'bigint'];
    const arrays = types.map((type, index) => `$${index + 2}::${type}[]`);
    const updates = [...names.slice(1), '_partition'].map((name) => `${name} = excluded.${name}`);
    this.#columns = table.columns.length;
    this.#upsert = {
      name: `sluice_upsert_${id}`,
      text:
        `insert into ${table.sql} (${names.join(', ')}, _partition) select u.*, $1::integer ` +
        `from unnest(${arrays.join(', ')}) as u on conflict (key) do update set ${updates.join(', ')}`,
    };
    this.#delete = {
      name: `sluice_delete_${id}`,
      text: `delete from ${table.sql} where key = any ($1::text[])`,
    };
  }

  /** Writes a batch inside the caller's transaction. */
  async write(client: ClientBase, partition: number, batch: EncodedBatch): Promise<void> {
    for (let at = 0; at < batch.upserts.length; at += CHUNK) {
      await this.#upsertAll(client, partition, batch.upserts.slice(at, at + CHUNK));
    }
    for (let at = 0; at < batch.deletes.length; at += CHUNK) {
      const keys = batch.deletes.slice(at, at + CHUNK).map((change) => change.key);
      await client.query({ ...this.#delete, values: [arrayOf(keys)] });
    }
  }

  /**
   * Finds the records that the server refuses by halving, each half behind a savepoint; good halves stay, so rows that only fail together are
   * found too. The caller rolls the transaction back.
   */
  async findRefused(client: ClientBase, partition: number, batch: EncodedBatch): Promise<RejectedRecord[]> {
    const rejected: RejectedRecord[] = [];
    await client.query('set constraints all immediate');
    const attempt = async (changes: readonly Change[]): Promise<void> => {
      await client.query('savepoint sluice_half');
      try {
        await this.#upsertAll(client, partition, changes);
        await client.query('release savepoint sluice_half');
        return;
      } catch (error) {
        if (!isDataError(error)) throw error;
        await client.query('rollback to savepoint sluice_half');
        const [only] = changes;
        if (changes.length === 1 && only !== undefined) {
          rejected.push({ offset: only.offset, reason: error instanceof Error ? error.message : String(error) });
          return;
        }
      }
      const middle = changes.length >> 1;
      await attempt(changes.slice(0, middle));
      await attempt(changes.slice(middle));
    };
    for (let at = 0; at < batch.upserts.length; at += CHUNK) await attempt(batch.upserts.slice(at, at + CHUNK));
    return rejected.sort((a, b) => (a.offset < b.offset ? -1 : 1));
  }

  async #upsertAll(client: ClientBase, partition: number, changes: readonly Change[]): Promise<void> {
    const columns: string[] = [arrayOf(changes.map((change) => change.key))];
    for (let index = 0; index < this.#columns; index += 1) {
      columns.push(arrayOf(changes.map((change) => change.values?.[index] ?? 'NULL')));
    }
    columns.push(arrayOf(changes.map((change) => change.offset.toString())));
    await client.query({ ...this.#upsert, values: [partition, ...columns] });
  }
}
