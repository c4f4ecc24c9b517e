/** One starter per data directory, also when two begin in the same moment. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isAlive, type ProcessId } from '../parts/identity.ts';

const LOCK = 'starter.lock';

export type LockOutcome = { readonly held: true; release(): void } | { readonly held: false; readonly by: ProcessId };

/** Takes the lock, or says who has it. A lock whose holder has ended is taken over. */
export function lockStarter(dir: string): LockOutcome {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, LOCK);
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
      const taken = moveAside(dir);
      if (taken !== undefined) return { held: false, by: taken };
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes a dead holder's lock away. Another starter may have done so and locked in between: then its lock is put back, and it is returned. */
function moveAside(dir: string): ProcessId | undefined {
  const file = join(dir, LOCK);
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
    const holder = holderIn(aside);
    if (holder !== undefined) linkSync(aside, file);
    return holder;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EEXIST')) return undefined;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** The starter that runs on this directory now. */
export function lockHolder(dir: string): ProcessId | undefined {
  return holderIn(join(dir, LOCK));
}

function holderIn(file: string): ProcessId | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const { pid, startTime } = parsed as Partial<ProcessId>;
    if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined;
    return isAlive({ pid, startTime }) ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
