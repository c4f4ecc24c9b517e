/** `sluice describe`: an application's topology, or one stage of it. */
import { deadLetterTopicOf, describeText, lateTopicOf, toMermaid, type Topology } from '#topology';
import { unknownName } from './nearest.ts';

type Parts = Pick<Topology, 'subTopologies' | 'globalTables' | 'time' | 'marks'>;

/** What one stage is made of, or all are. SluiceError SLC_INSPECT_STAGE. */
export function partsOf(topology: Topology, stage: string | undefined): Parts {
  if (stage === undefined) return topology;
  const names = topology.stages.map(({ name }) => name);
  if (!names.includes(stage)) throw unknownName('SLC_INSPECT_STAGE', 'stage', stage, names);
  const isOwn = (part: { readonly stage: string }): boolean => part.stage === stage;
  const { subTopologies, globalTables, time, marks } = topology;
  return { subTopologies: subTopologies.filter(isOwn), globalTables: globalTables.filter(isOwn), time, marks };
}

/** For people. */
export function topologyText(topology: Topology, stage: string | undefined): string {
  const parts = partsOf(topology, stage);
  const subs = parts.subTopologies;
  const stages = new Set(subs.map((sub) => sub.stage)).size;
  const tasks = subs.reduce((sum, sub) => sum + sub.partitions, 0);
  const counts = `${stages} stages, ${subs.length} sub-topologies, ${tasks} tasks`;
  return `application ${topology.app}, epoch ${topology.epoch}: ${counts}\n${describeText(parts)}`;
}

/** A Mermaid flowchart. */
export function topologyMermaid(topology: Topology, stage: string | undefined): string {
  return toMermaid(partsOf(topology, stage));
}

/** As documented in docs/INSPECT.md. */
export function topologyJson(topology: Topology, stage: string | undefined): Record<string, unknown> {
  const { subTopologies: subs, globalTables } = partsOf(topology, stage);
  const changelogs = new Map(topology.changelogs.map(({ store, topic }) => [store, topic]));
  return {
    app: topology.app,
    epoch: topology.epoch,
    stages: [...Map.groupBy(subs, (sub) => sub.stage)].map(([name, own]) => ({
      name,
      late: lateTopicOf(name),
      deadLetters: deadLetterTopicOf(name),
      globalTables: globalTables
        .filter((table) => table.stage === name)
        .map(({ store, topic, node }) => ({ name: node.name, store, topic: topic.name })),
      subTopologies: own.map(({ id, partitions, sources, sinks, stores, nodes }) => ({
        id,
        partitions,
        reads: [...new Set(sources.map(({ topic }) => topic.name))],
        writes: [...new Set(sinks.map(({ topic }) => topic.name))],
        stores: stores.map((store) => ({
          name: store.name,
          kind: store.kind,
          retentionMs: store.retentionMs ?? null,
          changelog: changelogs.get(store.name) ?? null,
        })),
        nodes: nodes.map((node) => ({
          name: node.name,
          kind: node.spec.kind,
          detail: node.spec.detail ?? null,
          parents: [...node.parents, ...(node.globalTables ?? [])].map((parent) => parent.name),
        })),
      })),
    })),
  };
}
