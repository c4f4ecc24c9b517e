/** What an error of the pg driver means for the engine. */
import { ConnectorError, RetriableError, SluiceError } from '#topology';

/** SQLSTATE classes and codes that pass by themselves: connection, resources, operator intervention, serialisation, locks, a replica. */
const PASSING = /^(?:08|53|57|58|40|55P03|25P0|25006|26000)/;
/** Data exceptions, constraint violations, limits (a key too long for its index): the fault of one record. */
const DATA = /^(?:22|23|54)/;

function property(error: unknown, name: string): string | undefined {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The server's own code, undefined when the error is not the server's answer (network, time-out, a bug of ours). */
export function sqlState(error: unknown): string | undefined {
  const code = property(error, 'code');
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && property(error, 'severity') !== undefined
    ? code
    : undefined;
}

/** True when a record's content made the statement fail. */
export function isDataError(error: unknown): boolean {
  return DATA.test(sqlState(error) ?? '');
}

function text(error: unknown): string {
  const message = property(error, 'message') ?? String(error);
  return message === '' ? (property(error, 'code') ?? 'unknown error') : message;
}

/**
 * The engine's error for one of pg: RetriableError SLC_POSTGRES_AWAY for all that can pass by itself, ConnectorError SLC_POSTGRES_SCHEMA where
 * tables or rights are not what they must be, SLC_POSTGRES_ACCESS where the login is refused. `target` is host, port and database: no message
 * ever holds the connection string.
 */
export function postgresError(error: unknown, target: string): Error {
  if (error instanceof SluiceError || error instanceof TypeError || error instanceof RangeError) return error;
  const state = sqlState(error);
  const detail = { where: target, cause: error };
  if (state === undefined || PASSING.test(state)) {
    return new RetriableError('SLC_POSTGRES_AWAY', `PostgreSQL at ${target}: ${text(error)}`, {
      ...detail,
      hint: 'start the database, or correct SLUICE_POSTGRES; the sink goes on by itself',
    });
  }
  if (/^(?:28|3D)/.test(state)) {
    return new ConnectorError('SLC_POSTGRES_ACCESS', `PostgreSQL at ${target} refuses the login: ${text(error)}`, {
      ...detail,
      hint: 'check user, password and database in SLUICE_POSTGRES',
    });
  }
  return new ConnectorError(
    'SLC_POSTGRES_SCHEMA',
    `PostgreSQL at ${target} refuses a statement (${state}): ${text(error)}`,
    {
      ...detail,
      hint: "give the sink's user CREATE on the database, or undo what changed its tables",
    },
  );
}
