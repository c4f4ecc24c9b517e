/** A user's rows in PostgreSQL: counted, and deleted by the column with the user's id. */
import { Client, escapeIdentifier } from 'pg';
import { SluiceError, type TopicPartition } from '#topology';
import { postgresPositions } from '../inspect/postgres-positions.ts';
import type { EraseOptions, PersonalTopic } from './types.ts';

const CONNECT_MS = 5_000;
const STATEMENT_MS = 60_000;
const ATTEMPTS = 3;
const POLL_MS = 200;
const UNDEFINED_TABLE = '42P01';
const INVALID_SCHEMA = '3F000';
/** The sink and this delete met in another order; PostgreSQL ended one of them. */
const DEADLOCK = '40P01';

/** Opened per call: there may be minutes between two of them. SluiceError SLC_ERASE_WAREHOUSE when PostgreSQL is away or refuses. */
export class ErasedWarehouse {
  readonly #connectionString: string;
  readonly #topics: readonly PersonalTopic[];
  readonly #userId: string;

  constructor(connectionString: string, { topics, userId }: Pick<EraseOptions, 'topics' | 'userId'>) {
    this.#connectionString = connectionString;
    this.#topics = topics;
    this.#userId = userId;
  }

  /** Rows of the user by table, of the tables that exist. */
  async count(): Promise<Map<string, number>> {
    return await this.#perTable(async (client, table, column) => {
      const { rows } = await client.query<{ n: string }>(
        `select count(*)::text as n from ${table} where ${column} = $1`,
        [this.#userId],
      );
      return Number(rows[0]?.n ?? 0);
    });
  }

  /** Deletes them, a table at a time; how many there were by table. */
  async erase(): Promise<Map<string, number>> {
    return await this.#perTable(async (client, table, column) => {
      const sql = `delete from ${table} where ${column} = $1`;
      const { rowCount } = await client.query(sql, [this.#userId]);
      return rowCount ?? 0;
    });
  }

  /**
   * Waits until the sink holds every one of these records: what comes behind them only is newer. False when the deadline came before; what it lacks is
   * told to `waits`.
   */
  async caughtUp(
    app: string,
    last: readonly (TopicPartition & { readonly offset: bigint })[],
    deadline: number,
    waits: (text: string) => void,
  ): Promise<boolean> {
    for (;;) {
      const positions = await told(() => postgresPositions(this.#connectionString, app));
      const lagging = last.filter((each) => (positions.get(`${each.topic}/${each.partition}`) ?? 0n) <= each.offset);
      if (lagging.length === 0) return true;
      const [first] = lagging;
      waits(`PostgreSQL's sink is behind in ${lagging.length} partitions, as ${first?.topic}-${first?.partition}`);
      if (Date.now() >= deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #perTable(
    work: (client: Client, table: string, column: string) => Promise<number>,
  ): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    return await told(async () => {
      const client = new Client({
        connectionString: this.#connectionString,
        application_name: 'sluice erase',
        connectionTimeoutMillis: CONNECT_MS,
        statement_timeout: STATEMENT_MS,
      });
      // A connection that breaks is told by the query.
      client.on('error', () => undefined);
      try {
        await client.connect();
        for (const { table } of this.#topics) {
          if (table === undefined) continue;
          const name = `${escapeIdentifier(table.schema)}.${escapeIdentifier(table.name)}`;
          const count = await patiently(() => work(client, name, escapeIdentifier(table.column)));
          if (count !== undefined) counts.set(`${table.schema}.${table.name}`, count);
        }
        return counts;
      } finally {
        await client.end().catch(() => undefined);
      }
    });
  }
}

/** undefined where there is no table. A deadlock is tried again. */
async function patiently(work: () => Promise<number>): Promise<number | undefined> {
  for (let nth = 1; ; nth++) {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === UNDEFINED_TABLE || code === INVALID_SCHEMA) return undefined;
      if (code !== DEADLOCK || nth === ATTEMPTS) throw error;
    }
  }
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { message, code } = cause as { message?: string; code?: string };
    throw new SluiceError('SLC_ERASE_WAREHOUSE', `PostgreSQL: ${message || code || String(cause)}`, {
      hint: 'the user is not erased there; mend it (SLUICE_POSTGRES, the right to delete from silver and gold) and run the command again',
      cause,
    });
  }
}
