import { TopologyError } from './errors.ts';

/** A span of time with its unit: '500ms', '10s', '5m', '1h', '7d'. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The span in ms. Throws TopologyError SLC_TOPOLOGY_DURATION for text that is no non-negative whole number with a unit. */
export function parseDuration(text: Duration): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  const unit = match?.[2] as keyof typeof UNIT_MS | undefined;
  if (match === null || unit === undefined) {
    throw new TopologyError('SLC_TOPOLOGY_DURATION', `${JSON.stringify(text)} is no duration`, {
      hint: "write a whole number and a unit, as in '500ms', '10s', '5m', '1h', '7d'",
    });
  }
  return Number(match[1]) * UNIT_MS[unit];
}
