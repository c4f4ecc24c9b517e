import { TaskCorruptedError } from '../errors.ts';
import type { KafkaAdmin } from './kafka-client.ts';
import type { ReplayFeed } from './replay-feed.ts';
import type { StartPosition, Wiring } from './wiring.ts';

/**
 * Where the inputs of a slot begin, by topic: at the committed position with its clock, else where a replay begins, else at the log's start. Call it after
 * fencing. TaskCorruptedError SLC_TASK_OFFSET_OUT_OF_RANGE when a committed position is not in its log.
 */
export async function startPositions(
  {
    app,
    admin,
    wiring,
    feed,
  }: {
    readonly app: string;
    readonly admin: KafkaAdmin;
    readonly wiring: Wiring;
    readonly feed: ReplayFeed | undefined;
  },
  partition: number,
): Promise<Map<string, StartPosition>> {
  const topics = wiring.topology.subTopologies
    .filter((sub) => partition < sub.partitions)
    .flatMap((sub) => sub.sources.map((source) => source.topic.name));
  const partitions = [...new Set(topics)].map((topic) => ({ topic, partition }));
  const ranges = await admin.offsets(partitions, { committed: true });
  const positions = new Map<string, StartPosition>();
  for (const [i, { topic }] of partitions.entries()) {
    const start = feed?.rangeOf({ topic, partition });
    positions.set(topic, start ?? { offset: ranges[i]?.start ?? 0n, clock: -Infinity });
  }
  for (const { topic, offset, metadata } of await admin.committedOffsets(app, partitions)) {
    checkThere(`${topic}-${partition}`, offset, ranges[partitions.findIndex((tp) => tp.topic === topic)]);
    positions.set(topic, { ...positions.get(topic), offset, clock: clockOf(metadata) });
  }
  return positions;
}

function checkThere(where: string, offset: bigint, range: { start: bigint; end: bigint } | undefined): void {
  if (range === undefined || (offset >= range.start && offset <= range.end)) return;
  throw new TaskCorruptedError(
    'SLC_TASK_OFFSET_OUT_OF_RANGE',
    `${where} is committed up to offset ${offset}, Kafka has ${range.start} to ${range.end}`,
    { where, hint: 'records were deleted before they were read, or the topic was made anew' },
  );
}

function clockOf(metadata: string | null): number {
  if (metadata === null || metadata === '') return -Infinity;
  const { w } = JSON.parse(metadata) as { w?: number };
  return w ?? -Infinity;
}
