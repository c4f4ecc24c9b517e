/** Logs of long runs stay small; the last lines of a log say why its writer failed. */
import { closeSync, copyFileSync, fstatSync, openSync, readdirSync, readSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

export const LOG_BYTES = 20 * 2 ** 20;
const CHECK_MS = 5_000;
const TAIL_BYTES = 64 * 1024;

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

/** The last lines of a log, oldest first; none when there is no such file. `from`: only what stands behind this byte. */
export function lastLines(file: string, count = 20, from = 0): string[] {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const { size } = fstatSync(descriptor);
    // A log that was rotated meanwhile is shorter than where its lines began.
    const start = Math.max(0, size - TAIL_BYTES, from <= size ? from : 0);
    const buffer = Buffer.alloc(size - start);
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    const lines = buffer.toString('utf8', 0, length).split('\n');
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(-count);
  } catch {
    return [];
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Size of a log now, 0 when it is not there. */
export function logSize(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
