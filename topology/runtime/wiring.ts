/** What all slots of an application share: serdes, names and numbers, made once from the topology. */
import type { AnyTopic, GraphNode, InternalTopic } from '../dsl/graph.ts';
import type { Topology } from '../dsl/topology.ts';
import { InvariantError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import { type Serde, type SerdeFactory, textSerde } from '../serde.ts';
import { makeStore } from '../state/make-store.ts';
import type { StateStore, StoreSpec } from '../state/store.ts';
import { asBuffer, decodeValue, decodeValueAt, encodeValue } from '../state/value-codec.ts';
import type { Floors } from './floors.ts';
import { RecordCollector } from './record-collector.ts';
import { GlobalTableCopy } from './global-table-copy.ts';
import { type SourceTopic, SlotInput, type TopicReader } from './slot-input.ts';
import type { SlotState } from './slot-state.ts';
import type { StandbyCopy } from './standby-copy.ts';
import { Task, type TaskOptions } from './task.ts';
import { type OutputNames, type SinkTarget, TaskOutput } from './task-output.ts';

/** Values of repartition topics. */
export const engineSerde: Serde<unknown> = {
  serialize: encodeValue,
  deserialize: (bytes) => decodeValue(asBuffer(bytes)),
  deserializeAt: decodeValueAt,
};

/** Serdes, names and numbers of an application. */
export interface Wiring {
  readonly topology: Topology;
  readonly sources: ReadonlyMap<string, SourceTopic>;
  readonly names: OutputNames;
  /** What tasks raise the ow of what they write to: from the last upgrade. */
  readonly floors: Floors;
  /** One copy for all tasks of the process, by the names of their stores: empty until GlobalTables has read them. Stores of one topic share theirs. */
  readonly globalTables: ReadonlyMap<string, GlobalTableCopy>;
  /** Names of the repartition topics. */
  readonly repartitions: ReadonlySet<string>;
}

/** All names that have a number in the roster, in the order of the topology; the roster keeps the order in which they first came. */
export function numberedNames(topology: Topology): string[] {
  const origins = topology.subTopologies.flatMap((sub) => sub.sources.map((source) => source.topic.name));
  return [...new Set([...origins, ...topology.changelogs.map((changelog) => changelog.topic)])];
}

/** Opens the serdes (registering schemas of the topics that the stages write) and lays out who reads and writes what. */
export async function wire(
  topology: Topology,
  serdes: SerdeFactory,
  { names: roster, floors }: { readonly names: readonly string[]; readonly floors: Floors },
): Promise<Wiring> {
  const open = (topic: AnyTopic, write: boolean): Promise<Serde<unknown>> =>
    serdes.open(`${topic.name}-value`, topic.value, { write });
  const sources = new Map<string, SourceTopic>();
  const targets = new Map<GraphNode, SinkTarget>();
  for (const sub of topology.subTopologies) {
    for (const { topic } of sub.sources) {
      if (sources.has(topic.name)) continue;
      sources.set(topic.name, await sourceOf(topology, topic, serdes, roster));
    }
    for (const { node, topic } of sub.sinks) {
      const valueSerde = 'value' in topic ? await open(topic, true) : undefined;
      targets.set(node, { topic: topic.name, partitions: topic.partitions, valueSerde });
    }
  }
  const changelogs = new Map(topology.changelogs.map((changelog) => [changelog.store, changelog.topic]));
  const storeNumbers = new Map(topology.changelogs.map(({ store, topic }) => [store, roster.indexOf(topic)]));
  const repartitions = new Set(topology.internalTopics.map(({ name }) => name));
  const globalTables = await globalTablesOf(topology, serdes);
  return { topology, sources, names: { targets, changelogs, storeNumbers }, floors, globalTables, repartitions };
}

async function globalTablesOf(topology: Topology, serdes: SerdeFactory): Promise<Map<string, GlobalTableCopy>> {
  const byTopic = new Map<string, GlobalTableCopy>();
  const byStore = new Map<string, GlobalTableCopy>();
  for (const { store, topic } of topology.globalTables) {
    const copy = byTopic.get(topic.name) ?? new GlobalTableCopy(await readerOf(topic, serdes), topic.partitions);
    byTopic.set(topic.name, copy);
    byStore.set(store, copy);
  }
  return byStore;
}

async function readerOf(topic: AnyTopic, serdes: SerdeFactory): Promise<TopicReader> {
  const valueSerde = await serdes.open(`${topic.name}-value`, topic.value, { write: false });
  const keySerde: Serde<unknown> =
    topic.key === 'text' ? textSerde : await serdes.open(`${topic.name}-key`, topic.key, { write: false });
  return { name: topic.name, keySerde, valueSerde, origin: topic.origin as SourceTopic['origin'] };
}

async function sourceOf(
  topology: Topology,
  topic: AnyTopic | InternalTopic,
  serdes: SerdeFactory,
  roster: readonly string[],
): Promise<SourceTopic> {
  const writers = (topology.writers.get(topic.name) ?? []).flatMap(({ stage, partitions }) =>
    Array.from({ length: partitions }, (_, p) => `${stage}/${p}`),
  );
  const base = { name: topic.name, number: roster.indexOf(topic.name), writers };
  if (!('value' in topic)) return { ...base, keySerde: textSerde, valueSerde: engineSerde, origin: undefined };
  return { ...base, ...(await readerOf(topic, serdes)) };
}

/** Where an input starts, its clock there (ms), and in a replay the offset before which it ends. */
export interface StartPosition {
  readonly offset: bigint;
  readonly clock: number;
  readonly end?: bigint | undefined;
}

/** The tasks and inputs of one slot, with empty stores; with `state`, above its file; with `copy`, those of the copy. */
export function makeSlotParts(
  wiring: Wiring,
  partition: number,
  positionOf: (topic: string) => StartPosition,
  { state, copy }: { readonly state?: SlotState | undefined; readonly copy?: StandbyCopy | undefined } = {},
): { tasks: Task[]; inputs: SlotInput[]; collector: RecordCollector } {
  const collector = new RecordCollector();
  const output = new TaskOutput(collector, wiring, partition);
  const subs = wiring.topology.subTopologies.filter((sub) => partition < sub.partitions);
  const tasks = subs.map((sub) => {
    const makeOwn = (name: string): StateStore => {
      const spec = specOf(sub.stores, name);
      return copy?.store(name) ?? state?.makeStore(spec, output.changelogOf(name)) ?? makeStore(spec);
    };
    const { topology, globalTables } = wiring;
    const options: TaskOptions = { time: topology.time, makeStore: makeOwn, globalTables };
    if (state === undefined) return new Task(sub, partition, output, options);
    return new Task(sub, partition, output, { ...options, keep: (...changes) => state.keep(...changes) });
  });
  const topics = new Set(subs.flatMap((sub) => sub.sources.map((source) => source.topic.name)));
  const inputs = [...topics].map((name) => {
    const source = wiring.sources.get(name);
    if (source === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `topic ${name} is no source`);
    const { offset, clock, end } = positionOf(name);
    return new SlotInput(source, partition, offset, clock, end);
  });
  return { tasks, inputs, collector };
}

/** Every partition of the topics that the stages write: whoever takes a slot asks for their ends. */
export function writtenPartitions(wiring: Wiring): TopicPartition[] {
  const topics = new Map([...wiring.names.targets.values()].map((target) => [target.topic, target.partitions]));
  return [...topics].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}

/** The ends of `writtenPartitions`, per topic. */
export function endsByTopic(
  partitions: readonly TopicPartition[],
  ends: readonly { readonly end: bigint }[],
): Map<string, bigint[]> {
  const topics = new Map<string, bigint[]>();
  for (const [i, { topic }] of partitions.entries()) {
    topics.set(topic, [...(topics.get(topic) ?? []), ends[i]?.end ?? 0n]);
  }
  return topics;
}

function specOf(stores: readonly StoreSpec[], name: string): StoreSpec {
  const spec = stores.find((each) => each.name === name);
  if (spec === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `there is no store ${name}`);
  return spec;
}
