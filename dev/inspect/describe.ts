/** `sluice describe`: an application's topology, or one stage of it. */
import { deadLetterTopicOf, describeText, lateTopicOf, type SubTopology, toMermaid, type Topology } from '#topology';
import { unknownName } from './nearest.ts';

/** The sub-topologies of one stage, or all. SluiceError SLC_INSPECT_STAGE. */
export function partsOf(topology: Topology, stage: string | undefined): readonly SubTopology[] {
  if (stage === undefined) return topology.subTopologies;
  const names = topology.stages.map(({ name }) => name);
  if (!names.includes(stage)) throw unknownName('SLC_INSPECT_STAGE', 'stage', stage, names);
  return topology.subTopologies.filter((sub) => sub.stage === stage);
}

/** For people. */
export function topologyText(topology: Topology, stage: string | undefined): string {
  const subs = partsOf(topology, stage);
  const stages = new Set(subs.map((sub) => sub.stage)).size;
  const tasks = subs.reduce((sum, sub) => sum + sub.partitions, 0);
  const counts = `${stages} stages, ${subs.length} sub-topologies, ${tasks} tasks`;
  return `application ${topology.app}, epoch ${topology.epoch}: ${counts}\n${describeText(subs, topology.time)}`;
}

/** A Mermaid flowchart. */
export function topologyMermaid(topology: Topology, stage: string | undefined): string {
  return toMermaid(partsOf(topology, stage));
}

/** As documented in docs/INSPECT.md. */
export function topologyJson(topology: Topology, stage: string | undefined): Record<string, unknown> {
  const subs = partsOf(topology, stage);
  const changelogs = new Map(topology.changelogs.map(({ store, topic }) => [store, topic]));
  return {
    app: topology.app,
    epoch: topology.epoch,
    stages: [...Map.groupBy(subs, (sub) => sub.stage)].map(([name, own]) => ({
      name,
      late: lateTopicOf(name),
      deadLetters: deadLetterTopicOf(name),
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
          parents: node.parents.map((parent) => parent.name),
        })),
      })),
    })),
  };
}
