/** Where a command begins and ends to read: an offset, a time, or an edge. */
import { ConfigError, parseDuration } from '#topology';

/** 'time': event time, ms. */
export type Bound =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly ms: number };

const ISO = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?)?(Z|[+-]\d{2}:?\d{2})?$/;
const AGO = /^-?(\d+(?:ms|s|m|h|d))$/;

/**
 * `earliest`, `latest` or `now`, digits = an offset, `2026-01-31`, `2026-01-31T10:00` (UTC unless it says otherwise), `10m` = that long before `now`
 * (ms). ConfigError SLC_CONFIG_OPTION.
 */
export function parseBound(option: string, text: string, now: number): Bound {
  if (text === 'earliest') return { kind: 'earliest' };
  if (text === 'latest' || text === 'now') return { kind: 'latest' };
  if (/^\d{1,18}$/.test(text)) return { kind: 'offset', offset: BigInt(text) };
  const ms = parseTime(text);
  if (ms !== undefined) return { kind: 'time', ms };
  const [, ago] = AGO.exec(text) ?? [];
  if (ago !== undefined) return { kind: 'time', ms: now - parseDuration(ago as `${number}m`) };
  throw new ConfigError('SLC_CONFIG_OPTION', `--${option} ${text} is neither an offset nor a time`, {
    hint: 'earliest, latest, an offset (1234), a time (2026-01-31T10:00, UTC), or how long ago (10m, 2h)',
  });
}

/** ISO 8601, from the date on; UTC unless it says otherwise. ms since the epoch, undefined when it is no time. */
export function parseTime(text: string): number | undefined {
  if (!ISO.test(text)) return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) || text.length === 10 ? text : `${text}Z`;
  const ms = Date.parse(zoned.replace(' ', 'T'));
  return Number.isFinite(ms) ? ms : undefined;
}
