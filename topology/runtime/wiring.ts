/** What all slots of an application share: serdes, names and numbers, made once from the topology. */
import type { AnyTopic, GraphNode } from '../dsl/graph.ts';
import type { Topology } from '../dsl/topology.ts';
import { InvariantError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import { type Serde, type SerdeFactory, textSerde } from '../serde.ts';
import { makeStore } from '../state/make-store.ts';
import type { StateStore, StoreSpec } from '../state/store.ts';
import type { Floors } from './floors.ts';
import { RecordCollector } from './record-collector.ts';
import { GlobalTableCopy } from './global-table-copy.ts';
import { PassedValues, repartitionSerde } from './passed-value.ts';
import { type SourceTopic, SlotInput, type TopicReader } from './slot-input.ts';
import type { SlotState } from './slot-state.ts';
import type { StandbyCopy } from './standby-copy.ts';
import { Task, type TaskOptions } from './task.ts';
import { type OutputNames, type SinkTarget, TaskOutput } from './task-output.ts';

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

/** Names, in the order of their numbers, and floors; `checksAll`: whether each value that passes is held against its bytes, for tests. */
export interface WireOptions {
  readonly names: readonly string[];
  readonly floors: Floors;
  readonly checksAll?: boolean;
}

/** Opens the serdes (registering schemas of the topics that the stages write) and lays out who reads and writes what. */
export async function wire(
  topology: Topology,
  serdes: SerdeFactory,
  { names: roster, floors, checksAll = false }: WireOptions,
): Promise<Wiring> {
  const open = (topic: AnyTopic, write: boolean): Promise<Serde<unknown>> =>
    serdes.open(`${topic.name}-value`, topic.value, { write });
  const sources = new Map<string, SourceTopic>();
  const targets = new Map<GraphNode, SinkTarget>();
  const baseOf = (name: string): { name: string; number: number; writers: readonly string[] } => {
    const writers = (topology.writers.get(name) ?? []).flatMap(({ stage, partitions }) =>
      Array.from({ length: partitions }, (_, p) => `${stage}/${p}`),
    );
    return { name, number: roster.indexOf(name), writers };
  };
  for (const { topic } of topology.subTopologies.flatMap((sub) => sub.sources)) {
    if (sources.has(topic.name) || !('value' in topic)) continue;
    sources.set(topic.name, { ...baseOf(topic.name), ...(await readerOf(topic, serdes)) });
  }
  const originsOf = (name: string): Serde<unknown>[] =>
    (topology.valueOrigins.get(name) ?? []).flatMap((origin) => sources.get(origin.name)?.valueSerde ?? []);
  for (const { name } of topology.internalTopics) {
    const valueSerde = repartitionSerde(originsOf(name));
    sources.set(name, { ...baseOf(name), keySerde: textSerde, valueSerde, origin: undefined });
  }
  for (const { node, topic } of topology.subTopologies.flatMap((sub) => sub.sinks)) {
    const valueSerde = 'value' in topic ? await open(topic, true) : undefined;
    const [origin, ...others] = valueSerde === undefined ? originsOf(topic.name) : [];
    const passed = origin === undefined || others.length > 0 ? undefined : new PassedValues(origin, checksAll);
    targets.set(node, { topic: topic.name, partitions: topic.partitions, valueSerde, passed });
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
