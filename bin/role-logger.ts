/** The log of a role: JSON lines (pino), one per event, with `level`, `time`, `name` (the role), `msg`, and `code` and `hint` where something is wrong. */
import { type Logger, pino } from 'pino';
import { ConfigError } from '#topology';

export type RoleLogger = Logger;

/** Parts of addresses before an @: what comes after the last colon of them is a password. */
const PASSWORD = /([^\s"'/:@\\]*):([^\s"'/@\\]+)@(?=[\w.[-])/g;

/** Passwords in addresses as `***`: errors of libraries may quote what they were given. */
export const withoutPasswords = (text: string): string => text.replaceAll(PASSWORD, '$1:***@');

/**
 * SLUICE_LOG is the level, else `level` (info). `output`: 1 for roles, whose log is what they print; 2 for commands that print an answer. ConfigError
 * SLC_CONFIG_OPTION when it is none.
 */
export function roleLogger(
  role: string,
  options: { readonly level?: string; readonly output?: 1 | 2; readonly base?: Readonly<Record<string, unknown>> } = {},
): Logger {
  const level = process.env['SLUICE_LOG'] || (options.level ?? 'info');
  if (level !== 'silent' && !(level in pino.levels.values)) {
    throw new ConfigError('SLC_CONFIG_OPTION', `SLUICE_LOG is ${JSON.stringify(level)}, which is no level`, {
      hint: `one of ${Object.keys(pino.levels.values).join(', ')}, silent`,
    });
  }
  const base = { pid: process.pid, ...options.base };
  const hooks = { streamWrite: withoutPasswords };
  return pino({ name: role, level, base, hooks }, pino.destination(options.output ?? 1));
}
