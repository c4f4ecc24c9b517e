/** One starter per data directory, also when two begin in the same moment. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, type Identity, isAlive } from './identity.ts';

export type LockOutcome = { readonly held: true; release(): void } | { readonly held: false; readonly by: Identity };

/** Takes the lock, or says who has it. A lock whose holder has ended is taken over. */
export function lockStarter(dir: string): LockOutcome {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'starter.lock');
  const draft = `${file}.${process.pid}`;
  const own = identityOf(process.pid);
  try {
    writeFileSync(draft, JSON.stringify(own));
    for (;;) {
      try {
        // A link appears with its content or not at all.
        linkSync(draft, file);
        return { held: true, release: () => rmSync(file, { force: true }) };
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      const holder = lockHolder(dir);
      if (holder !== undefined) return { held: false, by: holder };
      // Moved aside, not removed: of two that find the same dead holder only one moves it.
      const stale = `${file}.stale-${process.pid}`;
      try {
        renameSync(file, stale);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
      rmSync(stale, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The starter that runs on this directory now. */
export function lockHolder(dir: string): Identity | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(dir, 'starter.lock'), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const { pid, startTime } = parsed as Partial<Identity>;
    if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined;
    return isAlive({ pid, startTime }) ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
