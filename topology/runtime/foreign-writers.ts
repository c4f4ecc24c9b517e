/** What an application reads that another one of its project writes: both must know the same writers (TIME.md rule 8). */
import type { Clock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import { TopologyError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Roster } from '../time/ledger-records.ts';
import { writerNames } from './floors.ts';
import type { KafkaAdmin } from './kafka-client.ts';
import { ledgerTopicOf, type LedgerReader } from './ledger-reader.ts';

const ASK_MS = 500;

/** A project that is divided is no application: `partTopology` gives those. TopologyError SLC_TOPOLOGY_PARTS. */
export function refuseWholeProject({ app, stages, owners }: Topology): void {
  const other = stages.find(({ name }) => owners.get(name) !== app);
  if (other === undefined) return;
  throw new TopologyError(
    'SLC_TOPOLOGY_PARTS',
    `stage ${other.name} is run by ${owners.get(other.name)}, not by ${app}`,
    {
      where: app,
      hint: 'start partTopology(project, app): it has the stages of that application only',
    },
  );
}

/** Applications whose ledgers this one reads: those that write what it reads, and the project, which numbers names. */
export function otherLedgers({ app, base, foreign }: Topology): string[] {
  return [...new Set([base, ...foreign.values()])].filter((other) => other !== app);
}

/** Per topic that the application writes the stages whose tasks do. */
export function ownWriters({ writers, foreign }: Topology): Topology['writers'] {
  return new Map([...writers].filter(([topic]) => !foreign.has(topic)));
}

/**
 * Waits until the ledgers of the other applications are read and at most `waitMs` for an application whose roster has other writers than this topology
 * expects: it may be about to be upgraded. Then TopologyError SLC_APP_OTHER_WRITERS. From then on the reading of the ledger ends with that error when such a
 * roster comes: it comes before any promise that was made by it, so nothing is closed too early. An application that was never started has said nothing.
 */
export async function knowWriters(options: {
  readonly topology: Topology;
  readonly ledger: LedgerReader;
  readonly admin: Pick<KafkaAdmin, 'offsets'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { topology, ledger, admin, clock, logger, signal } = options;
  const apps = [...new Set(topology.foreign.values())];
  if (apps.length === 0) return;
  const ends = await admin.offsets(
    apps.map((app) => ({ topic: ledgerTopicOf(app), partition: 0 })),
    { committed: true },
  );
  await Promise.all(apps.map((app, i) => ledger.caughtUp(ends[i]?.end ?? 0n, app)));
  const until = clock.now() + options.waitMs;
  for (let nth = 0; !signal.aborted; nth++) {
    const [wrong] = apps.flatMap((app) => othersThanExpected(topology, ledger.rosterOf(app)) ?? []);
    if (wrong === undefined) break;
    if (clock.now() >= until) throw wrong;
    if (nth === 0) logger.warn({ code: wrong.code }, `waiting for another version: ${wrong.message}`);
    await clock.sleep(ASK_MS, signal);
  }
  ledger.watchRosters((roster) => {
    const wrong = othersThanExpected(topology, roster);
    if (wrong !== undefined) throw wrong;
  });
}

function othersThanExpected(topology: Topology, roster: Roster | undefined): TopologyError | undefined {
  if (roster === undefined) return undefined;
  const expected = writerNames(topology.writers);
  for (const [topic, app] of topology.foreign) {
    const writers = roster.writers[topic];
    if (app !== roster.app || writers === undefined) continue;
    if (writers.toSorted().join() === (expected[topic] ?? []).toSorted().join()) continue;
    return new TopologyError(
      'SLC_APP_OTHER_WRITERS',
      `application ${app} writes ${topic} by other tasks than this version of ${topology.app} knows of`,
      {
        where: topic,
        hint: `start ${app} and ${topology.app} from the same version: whoever reads a topic must wait for all who write it`,
      },
    );
  }
  return undefined;
}
