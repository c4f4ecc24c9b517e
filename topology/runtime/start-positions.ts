import { TaskCorruptedError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import { parseClock } from './committed-clock.ts';
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
  const { ranges, committed } = await read(app, admin, partitions);
  const positions = new Map<string, StartPosition>();
  for (const [i, { topic }] of partitions.entries()) {
    const start = feed?.rangeOf({ topic, partition });
    positions.set(topic, start ?? { offset: ranges[i]?.start ?? 0n, clock: -Infinity });
  }
  for (const { topic, offset, metadata } of committed) {
    positions.set(topic, { ...positions.get(topic), offset, clock: parseClock(metadata).w });
  }
  return positions;
}

type Ranges = Awaited<ReturnType<KafkaAdmin['offsets']>>;
type Committed = Awaited<ReturnType<KafkaAdmin['committedOffsets']>>;

/**
 * Both, such that each committed position is in its log. A process that stood still between the two questions, while another one had the slot, sees a later
 * answer beside an earlier one: it asks again as long as that other one commits. It is fenced, and finds out when it commits itself.
 */
async function read(
  app: string,
  admin: KafkaAdmin,
  partitions: readonly TopicPartition[],
): Promise<{ readonly ranges: Ranges; readonly committed: Committed }> {
  for (let before: string | undefined; ;) {
    const ranges = await admin.offsets(partitions, { committed: true });
    const committed = await admin.committedOffsets(app, partitions);
    const lost = lostIn(partitions, ranges, committed);
    if (lost === undefined) return { ranges, committed };
    const now = committed.map(({ topic, offset }) => `${topic} ${offset}`).join();
    if (now === before) throw lost;
    before = now;
  }
}

function lostIn(
  partitions: readonly TopicPartition[],
  ranges: Ranges,
  committed: Committed,
): TaskCorruptedError | undefined {
  for (const { topic, partition, offset } of committed) {
    const range = ranges[partitions.findIndex((each) => each.topic === topic)];
    if (range === undefined || (offset >= range.start && offset <= range.end)) continue;
    const where = `${topic}-${partition}`;
    return new TaskCorruptedError(
      'SLC_TASK_OFFSET_OUT_OF_RANGE',
      `${where} is committed up to offset ${offset}, Kafka has ${range.start} to ${range.end}`,
      { where, hint: 'records were deleted before they were read, or the topic was made anew' },
    );
  }
  return undefined;
}
