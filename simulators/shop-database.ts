/** The shop's MySQL over one connection, in order: schema, seed, changes and the sender's clock. Waits while the server is away. */
import { readFileSync } from 'node:fs';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { backoffMs, type Log, pause } from './backoff.ts';
import type { SimTransaction } from './changes.ts';
import { SimulatorError } from './failure.ts';
import type { SqlValue, Statement } from './rows.ts';

export interface ShopOptions {
  /** mysql://user:pass@host:port/database */
  readonly url: string;
  readonly log: Log;
}

const CONNECT_MS = 5_000;
const QUERY_MS = 15_000;
const LOCK_WAIT_S = 5;
const TABLES = ['users', 'items', 'purchases', 'customer_profiles', 'sluice_clock'];
/** The server says so, and it passes. Errors without ER_ come from the network. */
const PASSES = new Set([
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_SERVER_SHUTDOWN',
  'ER_NORMAL_SHUTDOWN',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_QUERY_INTERRUPTED',
  'ER_CONNECTION_KILLED',
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_STATEMENT_TIMEOUT',
  'ER_QUERY_TIMEOUT',
]);

export class ShopDatabase {
  readonly #options: ShopOptions;
  readonly #url: URL;
  readonly #database: string;
  readonly #stop = new AbortController();
  #connection: Connection | undefined;
  #resent = 0;

  /** Throws SimulatorError SLC_CONFIG_SIMULATOR_MYSQL for an address that is none. */
  constructor(options: ShopOptions) {
    this.#options = options;
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    const database = url === undefined ? '' : decodeURIComponent(url.pathname.slice(1));
    if (url === undefined || url.protocol !== 'mysql:' || !/^\w+$/.test(database)) {
      throw new SimulatorError(
        'SLC_CONFIG_SIMULATOR_MYSQL',
        'the address of the shop database is no mysql://user:password@host:port/database',
        'set SLUICE_MYSQL; the name of the database: letters, digits and _',
      );
    }
    this.#url = url;
    this.#database = database;
  }

  /** Transactions that were sent again. */
  get resent(): number {
    return this.#resent;
  }

  /** Makes database and tables that are not there. */
  async prepare(): Promise<void> {
    await this.#again(async (connection) => {
      const [found] = await connection.query<RowDataPacket[]>({
        sql: 'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)',
        values: [this.#database, TABLES],
      });
      // Nothing is said in the binlog when there is nothing to do.
      if (found.length === TABLES.length) return;
      await connection.query({
        sql: readFileSync(new URL('../schemas/sql/shop.sql', import.meta.url), 'utf8'),
      });
    });
  }

  async rows(sql: string): Promise<RowDataPacket[]> {
    const rows = await this.#again(async (connection) => {
      const [found] = await connection.query<RowDataPacket[]>({ sql });
      return found;
    });
    return rows ?? [];
  }

  /** Commits the statements together. Done twice, they change nothing the second time. False when stopped before they were known to be committed. */
  async commit(statements: readonly Statement[]): Promise<boolean> {
    const [only] = statements;
    const isSingle = statements.length === 1 && only !== undefined;
    const sql = isSingle ? only.sql : ['START TRANSACTION', ...statements.map((one) => one.sql), 'COMMIT'].join('; ');
    const values: SqlValue[] = statements.flatMap((one) => one.values);
    const done = await this.#again(async (connection) => {
      await connection.query({ sql, values });
      return true;
    });
    return done ?? false;
  }

  /** Gives up what is not committed yet. */
  stop(): void {
    this.#stop.abort();
    this.#drop();
  }

  async #again<T>(work: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      if (attempt > 0) this.#resent++;
      try {
        this.#connection ??= await this.#connect();
        return await this.#within(work(this.#connection));
      } catch (error) {
        // In the middle of a transaction or of an answer: only a new connection knows where it is.
        this.#drop();
        if (this.#stop.signal.aborted) return undefined;
        if (!passes(error)) throw this.#refusal(error);
        const reason = codeOf(error);
        if (attempt % 5 === 1) this.#options.log.warn({ reason, attempt }, 'waiting for MySQL');
        await pause(backoffMs(attempt), this.#stop.signal);
      }
    }
    return undefined;
  }

  async #connect(): Promise<Connection> {
    const url = this.#url;
    const connection = await createConnection({
      host: url.hostname,
      port: url.port === '' ? 3306 : Number(url.port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      connectTimeout: CONNECT_MS,
      enableKeepAlive: true,
      multipleStatements: true,
      dateStrings: true,
      charset: 'utf8mb4',
    });
    // Errors between two queries: the next query meets them.
    connection.on('error', () => undefined);
    try {
      await this.#within(this.#own(connection));
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  }

  /**
   * What the last connection sent may still be running in the server, and would then undo what comes after it. A named lock belongs to a connection until the
   * server has done with it; so it waits for that, and for another simulator on the same shop.
   */
  async #own(connection: Connection): Promise<void> {
    const query = async (sql: string, values: SqlValue[] = []): Promise<RowDataPacket[]> =>
      (await connection.query<RowDataPacket[]>({ sql, values }))[0];
    await query("SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 10");
    const lock = `sluice-simulator:${this.#database}`.slice(0, 64);
    const [row] = await query('SELECT GET_LOCK(?, ?) AS owned', [lock, LOCK_WAIT_S]);
    if (Number(row?.['owned']) !== 1) throw new Error('another simulator writes to this shop');
    const [found] = await query('SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?', [this.#database]);
    if (found === undefined) await query(`CREATE DATABASE \`${this.#database}\` CHARACTER SET utf8mb4`);
    await query(`USE \`${this.#database}\``);
  }

  /** A connection that is destroyed never answers: neither the limit nor `stop` may wait for it. */
  async #within<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    const { promise, reject } = Promise.withResolvers<never>();
    const onStop = (): void => reject(new Error('stopped'));
    const timer = setTimeout(() => reject(new Error(`no answer within ${QUERY_MS} ms`)), QUERY_MS);
    signal.addEventListener('abort', onStop);
    try {
      return await Promise.race([work, promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onStop);
    }
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  #refusal(error: unknown): SimulatorError {
    return new SimulatorError(
      'SLC_CONFIG_SIMULATOR_REFUSED',
      `MySQL at ${this.#url.host} refuses the simulator: ${error instanceof Error ? error.message : String(error)}`,
      'check SLUICE_MYSQL, the rights of its user, and that the tables are those of schemas/sql/shop.sql',
      error,
    );
  }
}

/** The statements of a transaction; those of a delete say the sender's clock first, because capture takes the time of a delete from it. */
export function statementsOf({ changes, base }: SimTransaction, saysClock: boolean): Statement[] {
  const statements = changes.map((change) => change.statement);
  const needsClock = saysClock && changes.some((change) => change.kind === 'delete');
  return needsClock ? [clockStatement(base), ...statements] : statements;
}

/** The time that the sender has reached, ms; null = it follows the wall clock. */
export function clockStatement(clock: number | null): Statement {
  return { sql: 'UPDATE sluice_clock SET now_ms = ? WHERE id = 1', values: [clock] };
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function passes(error: unknown): boolean {
  const code = codeOf(error);
  return !code.startsWith('ER_') || PASSES.has(code);
}
