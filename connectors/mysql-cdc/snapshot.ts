/**
 * A consistent view of the captured tables together with the binlog position it belongs to, without a long lock: MariaDB gives both in one
 * statement; on MySQL a global read lock is held for the milliseconds in which view and position are taken (needs RELOAD).
 */
import { RetriableError } from '#topology';
import { Connection, type ConnectionSettings, quoted } from './connection.ts';
import { columnType } from './row-types.ts';
import { currentPosition, type Server } from './server.ts';
import type { Row, SourcePosition, TableInfo } from './types.ts';

/** An open view. Close it as soon as all is read: the server keeps old row versions for it. */
export interface SnapshotView {
  readonly position: SourcePosition;
  /** What table sluice_clock says in this view, ms; null = wall clock (also when there is no such table). */
  readonly clock: number | null;
  /** Rows in key order. */
  rows(table: TableInfo): AsyncIterable<Row>;
  close(): void;
}

/** Rows fetched ahead of the reader. */
const AHEAD = 500;
/** How long the server waits for the reader of rows (Kafka may be slow), s. */
const WRITE_WAIT_S = 600;
const LOCK_WAIT_S = 5;

/** Opens a view. Throws RetriableError when the lock is not to be had in time (MySQL). */
export async function openSnapshot(
  settings: ConnectionSettings,
  server: Server,
  database: string,
): Promise<SnapshotView> {
  const connection = await Connection.open(settings);
  try {
    await connection.query("SET SESSION time_zone = '+00:00', SESSION sql_mode = ''");
    await connection.query(`SET SESSION net_write_timeout = ${WRITE_WAIT_S}, SESSION wait_timeout = 28800`);
    await connection.query(`SET SESSION lock_wait_timeout = ${LOCK_WAIT_S}`);
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const position = server.flavour === 'mariadb' ? await mariadbView(connection) : await mysqlView(connection, server);
    const clock = await readClock(connection, database);
    return {
      position,
      clock,
      rows: (table) => connection.stream(selectOf(database, table), AHEAD),
      close: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function mariadbView(connection: Connection): Promise<SourcePosition> {
  await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
  const rows = await connection.query("SHOW STATUS LIKE 'binlog_snapshot_%'");
  const status = new Map(rows.map((row) => [String(row['Variable_name']).toLowerCase(), String(row['Value'])]));
  const file = status.get('binlog_snapshot_file') ?? '';
  const pos = Number(status.get('binlog_snapshot_position'));
  const [found] = await connection.query('SELECT BINLOG_GTID_POS(?, ?) AS gtid', [file, pos]);
  const gtid = found?.['gtid'];
  if (typeof gtid !== 'string') {
    throw new RetriableError('SLC_CDC_MYSQL_AWAY', `MySQL at ${connection.where} knows no GTID for ${file}:${pos} yet`);
  }
  return { gtid, file, pos };
}

async function mysqlView(connection: Connection, server: Server): Promise<SourcePosition> {
  await connection.query('FLUSH TABLES WITH READ LOCK');
  try {
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    return await currentPosition(connection, server);
  } finally {
    await connection.query('UNLOCK TABLES');
  }
}

/** Name of the table in which a sender says the time that it has reached. */
export const CLOCK_TABLE = 'sluice_clock';

async function readClock(connection: Connection, database: string): Promise<number | null> {
  const found = await connection.query(
    'SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    [database, CLOCK_TABLE],
  );
  if (found.length === 0) return null;
  const [row] = await connection.query(`SELECT now_ms FROM ${quoted(database)}.${quoted(CLOCK_TABLE)} WHERE id = 1`);
  return clockValue(row);
}

/** `now_ms` of a row of sluice_clock. */
export function clockValue(row: Row | undefined | null): number | null {
  const value = row?.['now_ms'];
  return value === null || value === undefined ? null : Number(value);
}

function selectOf(database: string, { table, columns, primaryKey }: TableInfo): string {
  const list = columns.map(({ name, type }) =>
    columnType(type, name).roundsInText === true ? `${quoted(name)} + 0e0 AS ${quoted(name)}` : quoted(name),
  );
  const order = primaryKey.map(quoted).join(', ');
  return `SELECT ${list.join(', ')} FROM ${quoted(database)}.${quoted(table)} ORDER BY ${order}`;
}
