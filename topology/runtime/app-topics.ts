import type { Topology } from '../dsl/topology.ts';
import { DEFAULT_PARTITIONS } from '../topic.ts';
import { HINTS_TOPIC } from './hints.ts';
import type { TopicSpec } from './kafka-client.ts';
import { otherLedgers } from './foreign-writers.ts';
import { ledgerTopicOf } from './ledger-reader.ts';
import { deadLetterTopicOf, lateTopicOf } from './task-output.ts';
import { topicConfig, type TopicLimits, topicSpec } from './topic-config.ts';

/** All topics that an application reads or writes, with their settings: declared, internal, late and dead-letter topics, ledger, hints. */
export function topicsOf(topology: Topology, limits: TopicLimits = {}): TopicSpec[] {
  const specs = new Map<string, TopicSpec>();
  const add = (spec: TopicSpec): void => {
    if (!specs.has(spec.name)) specs.set(spec.name, spec);
  };
  for (const sub of topology.subTopologies) {
    for (const { topic } of [...sub.sources, ...sub.sinks]) if ('value' in topic) add(topicSpec(topic, limits));
  }
  for (const { topic } of topology.globalTables) add(topicSpec(topic, limits));
  for (const { name, partitions } of topology.internalTopics)
    add({ name, partitions, config: topicConfig('repartition', limits) });
  for (const { topic, partitions } of topology.changelogs)
    add({ name: topic, partitions, config: topicConfig('changelog', limits) });
  for (const { name } of topology.stages) {
    // A task puts aside into the partition of its own number.
    const tasks = topology.subTopologies.filter(({ stage }) => stage === name).map(({ partitions }) => partitions);
    const partitions = Math.max(DEFAULT_PARTITIONS, ...tasks);
    add({ name: lateTopicOf(name), partitions, config: topicConfig('late', limits) });
    add({ name: deadLetterTopicOf(name), partitions, config: topicConfig('dlq', limits) });
  }
  for (const app of [topology.app, ...otherLedgers(topology)]) {
    add({ name: ledgerTopicOf(app), partitions: 1, config: topicConfig('ledger', limits) });
  }
  add({ name: HINTS_TOPIC, partitions: 1, config: topicConfig('hints', limits) });
  return [...specs.values()];
}
