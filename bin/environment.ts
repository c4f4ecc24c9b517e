/** What roles read from the environment; `npm start` sets it. */
import { ConfigError, type Duration, limitsForDisk, parseDuration, type TopicLimits } from '#topology';

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
