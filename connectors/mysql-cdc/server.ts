/** What kind of server it is, its settings, and where its binlog ends. */
import type { SourcePosition } from './types.ts';
import { ConnectorError } from '#topology';
import type { Connection } from './connection.ts';

/** MariaDB and MySQL differ in GTIDs, snapshots and settings. */
export type Flavour = 'mariadb' | 'mysql';

export interface Server {
  readonly flavour: Flavour;
  readonly version: string;
  /** Settings by lower-case name; absent when the server does not know one. */
  readonly variables: ReadonlyMap<string, string>;
}

const SETTINGS = ['log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata', 'binlog_row_value_options', 'binlog_transaction_compression', 'gtid_mode', 'server_id', 'sync_binlog', 'binlog_expire_logs_seconds']; // prettier-ignore

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Asks the server what it is. */
export async function describeServer(connection: Connection): Promise<Server> {
  const [row] = await connection.query('SELECT VERSION() AS version');
  const version = text(row?.['version']);
  const list = SETTINGS.map((name) => `'${name}'`).join(',');
  const rows = await connection.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`);
  return {
    flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql',
    version,
    variables: new Map(rows.map((found) => [String(found['Variable_name']).toLowerCase(), String(found['Value'])])),
  };
}

/** File and offset at which the binlog ends now. */
export async function binlogEnd(connection: Connection, server: Server): Promise<{ file: string; pos: number }> {
  const renamed = server.flavour === 'mysql' && Number.parseFloat(server.version) >= 8.2;
  const [row] = await connection.query(renamed ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
  if (row === undefined) throw new ConnectorError('SLC_CDC_BINLOG_OFF', 'the server writes no binlog');
  return { file: String(row['File']), pos: Number(row['Position']) };
}

/** All transactions in the binlog up to now: MariaDB's position, MySQL's set. */
export async function executedGtids(connection: Connection, flavour: Flavour): Promise<string> {
  const expression = flavour === 'mariadb' ? '@@GLOBAL.gtid_binlog_pos' : '@@GLOBAL.gtid_executed';
  const [row] = await connection.query(`SELECT ${expression} AS gtid`);
  return text(row?.['gtid']).replaceAll(/\s/g, '');
}

/** True when `reached` (completed by us) covers all of `target` (completed by the server). */
export async function covers(
  connection: Connection,
  flavour: Flavour,
  reached: string,
  target: string,
): Promise<boolean> {
  if (reached === target) return true;
  if (flavour === 'mariadb') return mariadbCovers(reached, target);
  const [row] = await connection.query('SELECT GTID_SUBSET(?, ?) AS covered', [target, reached]);
  return Number(row?.['covered']) === 1;
}

/** MariaDB: per domain, our sequence number is not behind. */
export function mariadbCovers(reached: string, target: string): boolean {
  const ours = sequences(reached);
  return [...sequences(target)].every(([domain, sequence]) => (ours.get(domain) ?? -1n) >= sequence);
}

function sequences(position: string): Map<string, bigint> {
  const parts = position.split(',').filter((part) => part !== '');
  return new Map(
    parts.map((part) => {
      const [domain = '', , sequence = '0'] = part.split('-');
      return [domain, BigInt(sequence)];
    }),
  );
}

/** The position right now, for the start of a stream. */
export async function currentPosition(connection: Connection, server: Server): Promise<SourcePosition> {
  const gtid = await executedGtids(connection, server.flavour);
  return { gtid, ...(await binlogEnd(connection, server)) };
}
