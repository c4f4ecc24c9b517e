import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 100;
const MAX_MS = 5_000;

/** The wait before try `attempt` + 1 (from 0): 100 ms, doubled up to 5 s. */
export function backoffMs(attempt: number): number {
  return Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
}

/** Resolves after `ms` (at most 5 s), at once when the signal is given. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.min(MAX_MS, ms), undefined, { signal }).catch(() => undefined);
}

export interface Log {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
}
