import { ConfigError } from '#topology';

const UNIT_MS = { d: 86_400_000, h: 3_600_000 } as const;
const MOST_DAYS = 400;

/** The value of `--history` in ms. ConfigError SLC_CONFIG_OPTION when it is none. */
export function historyMs(text: string): number {
  const [, count, unit] = /^(\d{1,4})([dh])$/.exec(text) ?? [];
  const ms = Number(count ?? 0) * (unit === 'd' ? UNIT_MS.d : UNIT_MS.h);
  if (ms > 0 && ms <= MOST_DAYS * UNIT_MS.d) return ms;
  throw new ConfigError(
    'SLC_CONFIG_OPTION',
    `--history ${text}: it is days or hours, for instance 30d or 12h, and at most ${MOST_DAYS}d`,
  );
}
