/** The order in which a run ends, and how long each may take: 10 s for all. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, isAlive } from '../parts/identity.ts';
import type { LocalParts } from './parts.ts';
import type { Role, RoleTier } from './roles.ts';
import type { ProcessEntry } from './run-file.ts';

/** What produces first, so that all that was accepted is still carried through. */
export const ROLE_ORDER: readonly RoleTier[] = ['traffic', 'source', 'topology', 'sink', 'target'];

/** ms after the begin by which each must have ended; what one leaves over is the next one's. */
const ROLE_DEADLINES: Readonly<Record<RoleTier, number>> = {
  traffic: 1_500,
  source: 3_000,
  topology: 4_500,
  sink: 6_000,
  target: 6_300,
};
const PART_DEADLINES = { registry: 6_500, databases: 8_000, kafka: 9_500 } as const;

/** Ends roles and parts in order. Within 10 s, since what does not end in time is killed. */
export async function stopAll(roles: readonly Role[], parts: LocalParts): Promise<void> {
  const begun = Date.now();
  parts.beginStop();
  for (const tier of ROLE_ORDER) {
    const deadline = begun + ROLE_DEADLINES[tier];
    await Promise.all(roles.filter(({ spec }) => spec.tier === tier).map((role) => role.stop(deadline)));
  }
  const { registry, databases, kafka } = PART_DEADLINES;
  await parts.stop([begun + registry, begun + databases, begun + kafka]);
}

/** Ends the groups of all at once. */
export async function killAll(roles: readonly Role[], parts: LocalParts): Promise<void> {
  for (const role of roles) role.kill();
  await parts.kill();
}

const LEFT_ORDER: readonly (readonly string[])[] = [
  ['simulate', 'dashboard'],
  ['sources'],
  ['run'],
  ['sinks'],
  ['capture'],
  [],
  ['registry'],
  ['mysql', 'postgres'],
  ['kafka'],
];
const LEFT_MS = 3_000;
/** A role that hears that its supervisor is gone ends by itself: it is given the time to. */
const SETTLE_MS = 50;

/** Ends what a killed starter has left, in the same order; names without a place in it (`verify`) before the parts. */
export async function endLeftovers(entries: readonly ProcessEntry[], print: (line: string) => void): Promise<void> {
  const named = new Set(LEFT_ORDER.flat());
  await sleep(SETTLE_MS);
  for (const names of LEFT_ORDER) {
    const here = entries.filter(({ name }) => {
      // `run.fraud` is a `run`.
      const [role = ''] = name.split('.', 1);
      return names.length === 0 ? !named.has(role) : names.includes(role);
    });
    await Promise.all(
      here.map(async (entry) => {
        if (!isAlive(entry)) return;
        print(`${entry.name} of an earlier start (pid ${entry.pid}) is ended`);
        await endProcess(entry, 'SIGTERM', LEFT_MS);
      }),
    );
  }
}
