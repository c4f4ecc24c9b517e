import { ConfigError } from '#topology';

const MAX_WORKERS = 64;

/** The value of `--workers`. ConfigError SLC_CONFIG_OPTION when it is none. */
export function workerCount(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_WORKERS) return Number(text);
  throw new ConfigError('SLC_CONFIG_OPTION', `--workers ${text}: it is a whole number from 1 to ${MAX_WORKERS}`);
}
