import { updatesTopics } from '../dsl/topology-checks.ts';
import type { Topology } from '../dsl/topology.ts';
import { TopologyError } from '../errors.ts';
import type { SinkStage } from './sink-stage.ts';

/**
 * Refuses sinks that cannot take what they are given: TopologyError SLC_TOPOLOGY_SINK_UPDATES for a sink that only appends and a topic of updates, of which
 * the last value per key is promised, not how many came before (TIME.md rule 11). Call it before the sinks start.
 */
export function checkSinks({ subTopologies, time }: Topology, stages: readonly SinkStage[]): void {
  // Under stream-time every update leaves, in the order of arrival.
  if (time === 'stream-time') return;
  const updates = updatesTopics(subTopologies);
  for (const { name, sink, topics } of stages) {
    if (sink.appendsOnly !== true) continue;
    const refused = topics.filter((topic) => updates.has(topic.name)).map((topic) => topic.name);
    if (refused.length === 0) continue;
    throw new TopologyError(
      'SLC_TOPOLOGY_SINK_UPDATES',
      `sink ${name} only appends, but ${refused.join(', ')} holds updates of a table`,
      {
        hint: "give it finals (emit: 'final', or suppress until the windows close), or a sink that keeps the last value per key",
      },
    );
  }
}
