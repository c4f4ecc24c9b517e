/** What the server must be set to before a change can be captured without loss. Refused at start, with the statement that repairs it. */
import { ConfigError, type Logger } from '#topology';
import { type Connection, quoted } from './connection.ts';
import { GRANTS } from './failure.ts';
import { binlogEnd, type Server } from './server.ts';

interface Setting {
  readonly code: string;
  readonly name: string;
  readonly wanted: string;
  readonly why: string;
  readonly repair: string;
  /** Servers without this setting are fine. */
  readonly optional: boolean;
}

const RECONNECT = '; sessions that are open keep the old value until they connect again';

const COMMON: readonly Setting[] = [
  {
    code: 'SLC_CDC_BINLOG_OFF',
    name: 'log_bin',
    wanted: 'ON',
    why: 'the server writes no binlog',
    repair: 'start the server with --log-bin --server-id=1 (cannot be set while it runs)',
    optional: false,
  },
  {
    code: 'SLC_CDC_BINLOG_FORMAT',
    name: 'binlog_format',
    wanted: 'ROW',
    why: 'statements in the binlog carry no rows',
    repair: `SET GLOBAL binlog_format = 'ROW'${RECONNECT}`,
    optional: true, // MySQL 9 knows no other format and may drop the setting
  },
  {
    code: 'SLC_CDC_ROW_IMAGE',
    name: 'binlog_row_image',
    wanted: 'FULL',
    why: 'rows in the binlog lack columns',
    repair: `SET GLOBAL binlog_row_image = 'FULL'${RECONNECT}`,
    optional: false,
  },
  {
    code: 'SLC_CDC_ROW_METADATA',
    name: 'binlog_row_metadata',
    wanted: 'FULL',
    why: 'rows written before a change of a table could be read with the names of after it',
    repair: 'SET GLOBAL binlog_row_metadata = FULL (MariaDB from 10.5, MySQL from 8.0)',
    optional: false,
  },
];

const MYSQL: readonly Setting[] = [
  {
    code: 'SLC_CDC_GTID_OFF',
    name: 'gtid_mode',
    wanted: 'ON',
    why: 'without GTIDs the position would not survive',
    repair:
      "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = 'ON'",
    optional: false,
  },
  {
    code: 'SLC_CDC_TRX_COMPRESSION',
    name: 'binlog_transaction_compression',
    wanted: 'OFF',
    why: 'compressed transactions cannot be read',
    repair: `SET GLOBAL binlog_transaction_compression = OFF${RECONNECT}`,
    optional: true,
  },
  {
    code: 'SLC_CDC_PARTIAL_JSON',
    name: 'binlog_row_value_options',
    wanted: '',
    why: 'partial JSON updates cannot be read',
    repair: `SET GLOBAL binlog_row_value_options = ''${RECONNECT}`,
    optional: true,
  },
];

function normal(value: string): string {
  const upper = value.toUpperCase();
  return upper === '1' ? 'ON' : upper === '0' ? 'OFF' : upper;
}

/** The first setting that stands in the way, as ConfigError; undefined when all are right. */
export function settingsError(server: Server, where: string): ConfigError | undefined {
  for (const setting of server.flavour === 'mysql' ? [...COMMON, ...MYSQL] : COMMON) {
    const value = server.variables.get(setting.name);
    if (value === undefined && setting.optional) continue;
    if (value !== undefined && normal(value) === setting.wanted) continue;
    const is = value === undefined ? 'is not known' : `is ${value === '' ? "''" : value}`;
    return new ConfigError(setting.code, `MySQL at ${where}: ${setting.name} ${is}: ${setting.why}`, {
      where,
      hint: setting.repair,
    });
  }
  return undefined;
}

/** Whether SHOW GRANTS' lines allow reading the binlog. Roles can hide a right, so what is not seen is asked for by doing it. */
function mayReplicate(grants: readonly string[]): boolean {
  return grants.some((line) => /\bON \*\.\*/i.test(line) && /ALL PRIVILEGES|REPLICATION SLAVE/i.test(line));
}

async function checkGrants(
  connection: Connection,
  server: Server,
  database: string,
  tables: readonly string[],
): Promise<void> {
  await binlogEnd(connection, server);
  for (const table of tables) await connection.query(`SELECT 1 FROM ${quoted(database)}.${quoted(table)} LIMIT 0`);
  const rows = await connection.query('SHOW GRANTS');
  const lines = rows.map((row) => String(Object.values(row)[0]));
  const roles = lines.some((line) => !/\bON\b/i.test(line));
  if (mayReplicate(lines) || roles) return;
  throw new ConfigError('SLC_CDC_GRANTS', `MySQL at ${connection.where}: the user may not read the binlog`, {
    where: connection.where,
    hint: GRANTS,
  });
}

/** Cascades that the server carries out without writing them to the binlog: the changes of these tables would be missing. */
async function warnOfCascades(
  connection: Connection,
  database: string,
  tables: readonly string[],
  logger: Logger,
): Promise<void> {
  const marks = tables.map(() => '?').join(',');
  const rows = await connection.query(
    `SELECT TABLE_NAME AS name, CONSTRAINT_NAME AS constraint_name FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME IN (${marks})
       AND (DELETE_RULE IN ('CASCADE','SET NULL') OR UPDATE_RULE IN ('CASCADE','SET NULL'))`,
    [database, ...tables],
  );
  for (const row of rows) {
    logger.warn(
      { table: row['name'], constraint: row['constraint_name'] },
      'rows changed by this foreign key cascade are not in the binlog of this server and will not be captured',
    );
  }
}

/** Throws ConfigError (SLC_CDC_*) naming the repair, or what the connection throws. Warns of what is allowed but loses changes. */
export async function preflight(
  connection: Connection,
  server: Server,
  database: string,
  tables: readonly string[],
  logger: Logger,
): Promise<void> {
  const wrong = settingsError(server, connection.where);
  if (wrong !== undefined) throw wrong;
  await checkGrants(connection, server, database, tables);
  if (server.flavour === 'mariadb') await warnOfCascades(connection, database, tables, logger);
}
