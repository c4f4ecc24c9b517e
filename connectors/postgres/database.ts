/** Connections to one database: bounded, with time-outs, never left inside a transaction. */
import { ConfigError } from '#topology';
import { type ClientBase, Pool, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';
import { postgresError, sqlState } from './failure.ts';

/** Limits of a database. */
export interface DatabaseOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  /** Connections at most; further work waits for one. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** Of one statement, on the server. The client gives up 2 s later, for servers that vanished without a word. */
  readonly statementTimeoutMs: number;
}

const CLOSE_TIMEOUT_MS = 2_000;
const ANSWER_MARGIN_MS = 2_000;

/** Host, port and database of a connection string, without its secrets. ConfigError SLC_CONFIG_POSTGRES when it is none. */
export function targetOf(connectionString: string): string {
  const url = URL.parse(connectionString);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    // The text itself may hold a password: it is not repeated.
    throw new ConfigError('SLC_CONFIG_POSTGRES', 'the address of PostgreSQL is no postgres:// URL', {
      hint: 'SLUICE_POSTGRES=postgres://user:password@host:5432/database',
    });
  }
  return `${url.hostname}:${url.port === '' ? '5432' : url.port}${url.pathname}`;
}

/** A pool whose every error is one of the engine's (failure.ts). */
export class Database {
  readonly target: string;
  readonly #pool: Pool;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(options: DatabaseOptions) {
    this.target = targetOf(options.connectionString);
    this.#free = options.maxConnections;
    this.#pool = new Pool({
      connectionString: options.connectionString,
      application_name: options.applicationName,
      max: options.maxConnections,
      connectionTimeoutMillis: options.connectTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      query_timeout: options.statementTimeoutMs + ANSWER_MARGIN_MS,
      // A client that was stopped inside a transaction must not hold its partition's row for long.
      idle_in_transaction_session_timeout: options.statementTimeoutMs,
      keepAlive: true,
    });
    // A connection that dies while nobody waits for it reports here; who uses it next sees the failure itself.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** Runs one statement. */
  async query<R extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<R>> {
    return this.#use((client) => client.query<R>(query));
  }

  /** Runs `work` inside a transaction: committed when it resolves, rolled back when it rejects. */
  async transaction<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    return this.#use(async (client) => {
      await client.query('begin');
      const result = await work(client);
      const { command } = await client.query('commit');
      if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`);
      return result;
    });
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)));
    await Promise.race([this.#pool.end().catch(() => undefined), limit]);
    clearTimeout(timer);
  }

  async #use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    // The pool's own queue counts waiting as connecting, so a slow database would look like one that is away.
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await this.#withClient(work);
    } catch (error) {
      throw postgresError(error, this.target);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      // Only a connection that has answered can be trusted to answer again.
      if (sqlState(error) !== undefined || error instanceof Refused) {
        broken = await client.query('rollback').then(
          () => false,
          () => true,
        );
      }
      throw error instanceof Refused ? error.reason : error;
    } finally {
      client.release(broken);
    }
  }
}

/** Thrown by a transaction's work to roll back and reject with `reason`, keeping the connection. */
export class Refused extends Error {
  readonly reason: Error;
  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}
