/** A project divided into applications: some of its stages run apart from the rest, each part as an application of its own. */
import { TopologyError } from '../errors.ts';
import type { Stage } from './stage.ts';
import type { SubTopology, Topology } from './topology.ts';

/** Per part the names of its stages; what is in no part is the rest, and runs under the name of the project. */
export type Parts = Readonly<Record<string, readonly string[]>>;

/** The application id of a part. */
export const partAppOf = (app: string, part: string): string => `${app}.${part}`;

/** What may stand in names of topics, groups and transactional ids, and is none of the engine's own endings. */
const NAME = /^(?!(?:replay|replays|sink|watermarks)$)[a-z][a-z0-9_]{0,39}$/;

/** Application id per stage. A part that cannot be adds a TopologyError SLC_TOPOLOGY_PARTS. */
export function ownersOf(
  stages: readonly Stage[],
  { app, parts }: { readonly app: string; readonly parts: Parts },
  problems: TopologyError[],
): Map<string, string> {
  const owners = new Map(stages.map(({ name }) => [name, app]));
  const refuse = (text: string, hint: string): void => {
    problems.push(new TopologyError('SLC_TOPOLOGY_PARTS', text, { hint }));
  };
  for (const [part, names] of Object.entries(parts)) {
    if (!NAME.test(part)) {
      refuse(
        `${JSON.stringify(part)} cannot name a part`,
        'lower-case letters, digits and underscores, at most 40, as in fraud; not replay, replays, sink, watermarks',
      );
    }
    if (names.length === 0) refuse(`part ${part} has no stage`, 'name its stages, or leave the part out');
    for (const name of names) {
      const owner = owners.get(name);
      if (owner === undefined)
        refuse(`part ${part}: there is no stage ${name}`, `there are: ${[...owners.keys()].join(', ')}`);
      else if (owner !== app)
        refuse(`stage ${name} is in part ${part} and in ${owner}`, 'a stage runs in one application');
      else owners.set(name, partAppOf(app, part));
    }
  }
  if (stages.length > 0 && ![...owners.values()].includes(app)) {
    refuse(`the parts leave no stage to ${app}`, 'leave at least one stage in no part');
  }
  return owners;
}

/**
 * The clock of an origin topic is made by one reader, and the promises about a derived topic come from one ledger: an origin topic is read, and a topic is
 * written, by the stages of one application. (A global table has no clock: any application may have one.) Adds SLC_TOPOLOGY_PARTS for each that is not.
 */
export function checkParts(
  subs: readonly SubTopology[],
  owners: ReadonlyMap<string, string>,
  problems: TopologyError[],
): void {
  const readers = new Map<string, Set<string>>();
  const writers = new Map<string, Set<string>>();
  const add = (to: Map<string, Set<string>>, topic: string, stage: string): void => {
    to.set(topic, (to.get(topic) ?? new Set()).add(stage));
  };
  for (const { stage, sources, sinks } of subs) {
    for (const { topic } of sources)
      if ('origin' in topic && topic.origin !== undefined) add(readers, topic.name, stage);
    for (const { topic } of sinks) add(writers, topic.name, stage);
  }
  const check = (what: string, stagesOf: Map<string, Set<string>>, hint: string): void => {
    for (const [topic, stages] of stagesOf) {
      const apps = Map.groupBy(stages, (stage) => owners.get(stage) ?? '');
      if (apps.size < 2) continue;
      const where = [...apps].map(([app, names]) => `${app} (${names.join(', ')})`).join(' and ');
      problems.push(new TopologyError('SLC_TOPOLOGY_PARTS', `topic ${topic} is ${what} ${where}`, { hint }));
    }
  };
  check(
    'read by',
    readers,
    'two readers would fix idleness at two places, and find other records late: put the stages in one application, or read what one of them writes',
  );
  check('written by', writers, 'put the stages that write a topic in one application');
}

/** The applications of a project, the rest first. */
export function applicationsOf({ base, owners }: Pick<Topology, 'base' | 'owners'>): string[] {
  return [...new Set([base, ...owners.values()])];
}

/** Per topic that stages of this application read and those of another one write, that application. */
export function foreignTopics(
  subs: readonly SubTopology[],
  writers: Topology['writers'],
  { app, owners }: Pick<Topology, 'app' | 'owners'>,
): Map<string, string> {
  const foreign = new Map<string, string>();
  for (const { sources } of subs) {
    for (const { topic } of sources) {
      const [writer] = writers.get(topic.name) ?? [];
      const owner = writer && owners.get(writer.stage);
      if (owner !== undefined && owner !== app) foreign.set(topic.name, owner);
    }
  }
  return foreign;
}
