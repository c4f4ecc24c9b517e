/** What roles read from the environment; `npm start` sets it. */
import {
  ConfigError,
  DEFAULT_RUNTIME_OPTIONS,
  type Duration,
  limitsForDisk,
  parseDuration,
  type PersistentState,
  type TopicLimits,
} from '#topology';

/** ConfigError SLC_CONFIG_MISSING when it is not set. */
export function required(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  throw new ConfigError('SLC_CONFIG_MISSING', `${name} is not set`, {
    hint: `npm start sets it; by hand: export ${name}=...`,
  });
}

/** SLUICE_DISK, bytes: set for a broker of our own, whose disk is to stay small; without it topics have their own limits. */
export function topicLimits(): TopicLimits {
  const bytes = Number(process.env['SLUICE_DISK'] ?? '');
  return Number.isSafeInteger(bytes) && bytes > 0 ? limitsForDisk(bytes) : {};
}

/** A span of time from the environment, ms. ConfigError SLC_CONFIG_OPTION when it is none. */
export function durationOf(name: string, otherwise: Duration): number {
  const value = process.env[name] || otherwise;
  try {
    return parseDuration(value as Duration);
  } catch (cause) {
    throw new ConfigError('SLC_CONFIG_OPTION', `${name}: ${value} is no span of time`, {
      hint: "write a whole number and a unit, as in '500ms', '8s', '1m'",
      cause,
    });
  }
}

const MAX_STANDBY = 5;

/**
 * How many copies of each slot's state other processes keep: what `--standby` says, else SLUICE_STANDBY, else none. ConfigError SLC_CONFIG_OPTION.
 */
export function standbyCount(option: string | undefined): number {
  const [name, text] =
    option === undefined ? ['SLUICE_STANDBY', process.env['SLUICE_STANDBY'] || '0'] : ['--standby', option];
  const count = /^\d$/.test(text) ? Number(text) : Number.NaN;
  if (count <= MAX_STANDBY) return count;
  throw new ConfigError('SLC_CONFIG_OPTION', `${name} ${text}: it is a whole number from 0 to ${MAX_STANDBY}`);
}

/**
 * How far a partition may be ahead of one of its topic that has unread records: what `--max-skew` says, else SLUICE_MAX_SKEW, else the engine's default, ms;
 * Infinity for `off`. ConfigError SLC_CONFIG_OPTION.
 */
export function maxSkew(option?: string): number {
  const text = option ?? (process.env['SLUICE_MAX_SKEW'] || undefined);
  if (text === undefined) return DEFAULT_RUNTIME_OPTIONS.maxSkewMs;
  if (text === 'off') return Infinity;
  try {
    return parseDuration(text as Duration);
  } catch (cause) {
    const name = option === undefined ? 'SLUICE_MAX_SKEW' : '--max-skew';
    throw new ConfigError('SLC_CONFIG_OPTION', `${name} ${text} is no span of time`, {
      hint: "write a whole number and a unit, as in '10m', '6h', '1d', or 'off'",
      cause,
    });
  }
}

const UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9 };
/** Below it the page caches of a few slots would take all. */
const MIN_BUDGET_BYTES = 32e6;

/**
 * Where the stages keep state beside memory: SLUICE_STATE_DIR (npm start: .sluice/state), up to SLUICE_STATE_BUDGET in memory per process. undefined
 * without a directory, and with SLUICE_STATE=memory. ConfigError SLC_CONFIG_OPTION.
 */
export function persistentState(): PersistentState | undefined {
  const directory = process.env['SLUICE_STATE_DIR'] ?? '';
  const wished = process.env['SLUICE_STATE'] || (directory === '' ? 'memory' : 'persistent');
  if (wished !== 'memory' && wished !== 'persistent') {
    throw new ConfigError('SLC_CONFIG_OPTION', `SLUICE_STATE=${wished} is no kind of state`, {
      hint: 'memory or persistent',
    });
  }
  if (wished === 'memory') return undefined;
  const budget = process.env['SLUICE_STATE_BUDGET'] ?? '';
  const state = { directory: directory || required('SLUICE_STATE_DIR') };
  return budget === '' ? state : { ...state, budgetBytes: bytesOf(budget) };
}

function bytesOf(text: string): number {
  const [, figure = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*(MB|GB)$/i.exec(text.trim()) ?? [];
  const bytes = Number(figure) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (bytes >= MIN_BUDGET_BYTES) return Math.floor(bytes);
  throw new ConfigError('SLC_CONFIG_OPTION', `SLUICE_STATE_BUDGET=${text} is no size of 32 MB or more`, {
    hint: 'for instance SLUICE_STATE_BUDGET=256MB',
  });
}
