/** What an error of the MySQL drivers means for the capture. */
import { ConfigError, ConnectorError, RetriableError, SluiceError, TaskMigratedError } from '#topology';

function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}

function text(error: unknown): string {
  const message = property(error, 'message');
  if (typeof message === 'string' && message !== '') return message;
  const code = property(error, 'code');
  return typeof code === 'string' ? code : String(error);
}

/** The hint of SLC_CDC_POSITION_LOST. */
export const AGAIN =
  'start once with SLUICE_CDC_SNAPSHOT=again: a new snapshot replaces what was missed (rows as op r, deletes of keys that are gone); keep binlogs longer (binlog_expire_logs_seconds)';

const LOST =
  /could not find first log file|purged|could not find gtid state|not in the master's binlog|not in any binlog|is not in the master|impossible position|position > file size|gtid.*(?:diverge|missing)/i;
const SAME_SERVER_ID = /same server_(?:id|uuid)/i;
/** Login refused, unknown database, rights missing. */
const ACCESS = new Set(['ER_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR', 'ER_SPECIFIC_ACCESS_DENIED_ERROR', 'ER_TABLEACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR', 'ER_BAD_DB_ERROR', 'ER_NOT_SUPPORTED_AUTH_MODE']); // prettier-ignore
/** Server errors that pass by themselves: shutdown, killed connection, too many connections, locks, definition changed below a snapshot. */
const PASSING = new Set([1040, 1041, 1053, 1077, 1079, 1129, 1152, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1412, 1927, 1969, 3169, 4031]); // prettier-ignore
/** An error that zongji makes when it cannot decode what it got. */
const UNDECODABLE =
  /unsupported|cannot decode|compression|partial|metadata|insufficient permissions|invalid|out of range|unexpected/i;

/**
 * The platform's error for one of mysql2 or zongji. RetriableError SLC_CDC_MYSQL_AWAY for all that can pass by itself; ConnectorError
 * SLC_CDC_POSITION_LOST when the server no longer has the binlog that is needed, SLC_CDC_UNDECODABLE for events that cannot be read; ConfigError SLC_CDC_GRANTS
 * when login or rights are refused; TaskMigratedError when another replica with our server id pushed us out. `where` never holds a password.
 */
export function mysqlError(error: unknown, where: string): Error {
  if (error instanceof SluiceError || error instanceof RangeError) return error;
  const detail = { where, cause: error };
  const message = text(error);
  const number = property(error, 'errno');
  const code = property(error, 'code');
  if (SAME_SERVER_ID.test(message)) {
    return new TaskMigratedError('SLC_CDC_FENCED', `another instance reads the binlog of ${where} with our server id`, {
      ...detail,
      hint: 'run one instance of a source; for a second installation on this server set another name',
    });
  }
  if (number === 1945 || number === 1955 || (LOST.test(message) && typeof number === 'number')) {
    return new ConnectorError('SLC_CDC_POSITION_LOST', `MySQL at ${where} no longer has the binlog that is needed: ${message}`, { ...detail, hint: AGAIN }); // prettier-ignore
  }
  if (typeof code === 'string' && ACCESS.has(code)) {
    return new ConfigError('SLC_CDC_GRANTS', `MySQL at ${where} refuses access: ${message}`, {
      ...detail,
      hint: GRANTS,
    });
  }
  if (error instanceof TypeError || (typeof code !== 'string' && UNDECODABLE.test(message))) {
    return new ConnectorError('SLC_CDC_UNDECODABLE', `an event of the binlog of ${where} cannot be read: ${message}`, {
      ...detail,
      hint: 'changes would be lost, so the capture stops; switch off what the message names, then start once with SLUICE_CDC_SNAPSHOT=again',
    });
  }
  const own = typeof number === 'number' && number >= 1000 && number < 5000;
  if (own && !PASSING.has(number)) {
    return new ConnectorError('SLC_CDC_SERVER', `MySQL at ${where} refuses a statement (${number}): ${message}`, {
      ...detail,
      hint: 'see the message; the capture starts again where it stopped',
    });
  }
  return new RetriableError('SLC_CDC_MYSQL_AWAY', `MySQL at ${where}: ${message}`, {
    ...detail,
    hint: 'start the database, or correct SLUICE_MYSQL; the capture goes on by itself',
  });
}

/** What the user of the capture has to be granted. */
export const GRANTS =
  "GRANT SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '<user>'@'<host>' (REPLICATION CLIENT is BINLOG MONITOR on MariaDB)";
