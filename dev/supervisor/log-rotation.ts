/** Logs of long runs stay small. */
import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

export const LOG_BYTES = 20 * 2 ** 20;
const CHECK_MS = 5_000;

/**
 * Copies a log of `bytes` or more to `<log>.1` and empties it. The writer goes on in the same file: servers and roles append (O_APPEND).
 * What is written between copy and truncation is lost: a line or two of a log.
 */
export function rotateLogs(dir: string, bytes: number = LOG_BYTES): string[] {
  const rotated: string[] = [];
  for (const name of logsOf(dir)) {
    const file = join(dir, name);
    try {
      if (statSync(file).size < bytes) continue;
      copyFileSync(file, `${file}.1`);
      truncateSync(file);
      rotated.push(name);
    } catch {
      // Gone, or the disk is full: the next check tries again.
    }
  }
  return rotated;
}

/** Looks every few seconds until the returned function is called. */
export function keepLogsSmall(dir: string, bytes: number = LOG_BYTES, everyMs: number = CHECK_MS): () => void {
  const timer = setInterval(() => rotateLogs(dir, bytes), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function logsOf(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith('.log'));
  } catch {
    return [];
  }
}
