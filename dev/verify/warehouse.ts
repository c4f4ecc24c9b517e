/** PostgreSQL's tables as rows that compare with the oracles', and how far the sink has come. */
import { escapeIdentifier, Pool } from 'pg';
import { SluiceError, type TopicPartition } from '#topology';
import { some } from './progress.ts';
import { idOf } from './read-topics.ts';
import type { RecordDefinition, Row } from './tables.ts';

const TIMEOUT_MS = 60_000;

/** What verify asks of the warehouse. */
export class Warehouse {
  readonly #pool: Pool;

  /** `connectionString`: postgres://user:password@host:port/database. */
  constructor(connectionString: string) {
    this.#pool = new Pool({
      connectionString,
      application_name: 'sluice verify',
      max: 1,
      connectionTimeoutMillis: 5_000,
      statement_timeout: TIMEOUT_MS,
    });
    // An idle connection that breaks is found by the next query.
    this.#pool.on('error', () => undefined);
  }

  /** Whether the app's sink holds everything up to each partition's last record; else what it lacks, for people. */
  async behind(
    app: string,
    last: readonly (TopicPartition & { readonly offset: bigint })[],
  ): Promise<string | undefined> {
    const sql = 'select topic, partition, next_offset from sluice.sink_offsets where application = $1';
    const answer = await this.#query(sql, [app]).catch((error: unknown) => error as Error);
    // Away, or the sink has made nothing yet: both are waited for.
    if (answer instanceof Error) return `PostgreSQL: ${answer.message || (answer as { code?: string }).code}`;
    const positions = new Map(answer.rows.map(([topic, partition, next]) => [`${topic}-${partition}`, next]));
    const lagging = last.flatMap((each) => {
      const next = positions.get(idOf(each));
      const at = next === undefined || next === null ? 0n : BigInt(next);
      return at > each.offset ? [] : [`${idOf(each)} at ${at} of ${each.offset + 1n}`];
    });
    return lagging.length === 0 ? undefined : `PostgreSQL is behind in ${some(lagging)}`;
  }

  /** All rows of a table: its key, then the schema's fields. SluiceError SLC_VERIFY_TABLE when it is not there. */
  async rows(table: string, definition: RecordDefinition): Promise<Row[]> {
    const columns = definition.fields.map((field) => asText(escapeIdentifier(snakeCase(field.name)), field.type));
    const name = table.split('.').map(escapeIdentifier).join('.');
    try {
      return (await this.#query(`select key, ${columns.join(', ')} from ${name}`, [])).rows;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code !== UNDEFINED_TABLE && code !== UNDEFINED_COLUMN) throw error;
      throw new SluiceError('SLC_VERIFY_TABLE', `PostgreSQL: ${(error as Error).message}`, {
        hint: 'start `sluice sinks` with the same schemas, it makes the tables',
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #query(text: string, values: readonly unknown[]): Promise<{ rows: (string | null)[][] }> {
    return await this.#pool.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' });
  }
}

const UNDEFINED_TABLE = '42P01';
const UNDEFINED_COLUMN = '42703';

/** windowStart -> window_start. */
function snakeCase(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** A column as the text that the oracles give for its Avro type: decimals unscaled, times in ms, dates in days. */
function asText(column: string, avro: unknown): string {
  const types = Array.isArray(avro) ? (avro as unknown[]) : [avro];
  const type = types.find((each) => each !== 'null');
  const { logicalType, scale = 0 } = (typeof type === 'object' ? type : {}) as { logicalType?: string; scale?: number };
  if (logicalType === 'decimal') return `(${column} * 1e${scale})::numeric(38, 0)::text`;
  if (logicalType === 'timestamp-millis') return `(extract(epoch from ${column}) * 1000)::numeric(38, 0)::text`;
  if (logicalType === 'date') return `(${column} - date '1970-01-01')::text`;
  return `${column}::text`;
}
