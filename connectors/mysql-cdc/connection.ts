/** Connections to MySQL: all values as exact text, UTC, and errors as the platform's. */
import { createConnection, type Connection as Mysql2Connection } from 'mysql2';
import { ConfigError } from '#topology';
import { mysqlError } from './failure.ts';

/** Where the server is and how to log in; also what zongji takes. The text forms of values are the contract with row-types.ts. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly ssl?: { readonly rejectUnauthorized: boolean };
  readonly dateStrings: true;
  readonly timezone: 'Z';
  readonly supportBigNumbers: true;
  readonly bigNumberStrings: true;
  readonly jsonStrings: true;
  readonly charset: 'utf8mb4';
  readonly connectTimeout: number;
  readonly enableKeepAlive: true;
}

/** Reads mysql://user:password@host:port/?ssl=true. Throws ConfigError SLC_CONFIG_MYSQL_URL, never quoting the password. */
export function connectionSettings(url: string): ConnectionSettings {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw badUrl('it is no URL');
  }
  if (parsed.protocol !== 'mysql:' && parsed.protocol !== 'mariadb:') throw badUrl(`its scheme is ${parsed.protocol}`);
  const ssl = parsed.searchParams.get('ssl');
  return {
    host: parsed.hostname.replaceAll(/[[\]]/g, ''),
    port: parsed.port === '' ? 3306 : Number(parsed.port),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    ...(ssl === null || ssl === 'false' ? {} : { ssl: { rejectUnauthorized: ssl !== 'insecure' } }),
    dateStrings: true,
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: true,
    jsonStrings: true,
    charset: 'utf8mb4',
    connectTimeout: 10_000,
    enableKeepAlive: true,
  };
}

function badUrl(why: string): ConfigError {
  return new ConfigError('SLC_CONFIG_MYSQL_URL', `the address of MySQL cannot be read: ${why}`, {
    hint: 'SLUICE_MYSQL=mysql://user:password@host:3306/shop, special characters percent-encoded',
  });
}

/** A row of a query's result, by column name. */
export type ResultRow = Record<string, unknown>;

/** Longest any statement but the snapshot's SELECTs may take, ms. */
const STATEMENT_MS = 30_000;

/** One connection; closed by its owner. Errors are those of `mysqlError`. */
export class Connection {
  readonly where: string;
  readonly #connection: Mysql2Connection;

  private constructor(where: string, connection: Mysql2Connection) {
    this.where = where;
    this.#connection = connection;
    // Without a listener a connection that dies between two queries would end the process; the next query reports it.
    connection.on('error', () => undefined);
  }

  static async open(settings: ConnectionSettings): Promise<Connection> {
    const where = `${settings.host}:${settings.port}`;
    try {
      const connection = createConnection(settings);
      const opened = new Connection(where, connection);
      await connection.promise().connect();
      return opened;
    } catch (error) {
      throw mysqlError(error, where);
    }
  }

  async query(sql: string, parameters: readonly (string | number)[] = []): Promise<ResultRow[]> {
    try {
      const [rows] = await this.#connection.promise().query({ sql, values: [...parameters], timeout: STATEMENT_MS });
      return Array.isArray(rows) ? (rows as ResultRow[]) : [];
    } catch (error) {
      throw mysqlError(error, this.where);
    }
  }

  /** Rows one by one; the server waits while the reader does. */
  async *stream(sql: string, ahead: number): AsyncGenerator<ResultRow> {
    const stream = this.#connection.query(sql).stream({ highWaterMark: ahead });
    try {
      for await (const row of stream) yield row as ResultRow;
    } catch (error) {
      throw mysqlError(error, this.where);
    }
  }

  /** Never rejects: what cannot be closed politely is cut. */
  close(): void {
    this.#connection.destroy();
  }
}

/** `name` as an identifier in SQL. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
