/** `sluice lag`: how far stages and sinks are behind, in offsets and in event time, and who holds them back. */
import type { KafkaAdmin, TopicPartition } from '#topology';
import { durationText } from '../supervisor/live-view.ts';
import type { Clocks, HeldBack, InputClock } from './clocks.ts';
import { type Column, countText, iso, type Paint, textTable, timeText } from './text-table.ts';

/** A task of a stage. Times are event time, ms. */
export interface TaskLag {
  readonly stage: string;
  readonly partition: number;
  readonly inputs: readonly InputClock[];
  readonly behind: number;
  /** Of its least input; -Infinity before any. */
  readonly watermark: number;
  /** How far that is behind the newest origin clock; undefined before any. */
  readonly lagMs: number | undefined;
  readonly heldBack: HeldBack | undefined;
}

/** What a sink holds of a partition. `position` null: nothing yet. */
export interface SinkLag extends TopicPartition {
  readonly sink: string;
  readonly position: bigint | null;
  readonly end: bigint;
  readonly behind: number;
}

/** A sink, and where its target says that it is. */
export interface SinkTarget {
  readonly name: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** Next offset by `<topic>/<partition>`, from the target itself. */
  positions(): Promise<ReadonlyMap<string, bigint>>;
}

/** Tasks by stage, upstream first. */
export function stageLags(clocks: Clocks): TaskLag[] {
  const { newest, topology } = clocks;
  return topology.stages.flatMap(({ name }) => {
    const count = Math.max(
      0,
      ...topology.subTopologies.filter((sub) => sub.stage === name).map((sub) => sub.partitions),
    );
    return Array.from({ length: count }, (_, partition): TaskLag => {
      const inputs = clocks.inputsOf(name, partition);
      const watermark = Math.min(Infinity, ...inputs.map((input) => input.watermark));
      const known = Number.isFinite(watermark) && Number.isFinite(newest);
      return {
        stage: name,
        partition,
        inputs,
        behind: inputs.reduce((sum, input) => sum + input.behind, 0),
        watermark: watermark === Infinity ? -Infinity : watermark,
        lagMs: known ? Math.max(0, newest - watermark) : undefined,
        heldBack: clocks.heldBackBy(inputs),
      };
    });
  });
}

/** `problems`: targets that did not answer, with the reason. */
export async function sinkLags(
  admin: KafkaAdmin,
  targets: readonly SinkTarget[],
): Promise<{ sinks: SinkLag[]; problems: { sink: string; reason: string }[] }> {
  const problems: { sink: string; reason: string }[] = [];
  const sinks = await Promise.all(
    targets.map(async (target): Promise<SinkLag[]> => {
      try {
        const positions = await target.positions();
        const there = await admin.partitionCounts(target.topics.map(({ name }) => name));
        const partitions = [...there].flatMap(([topic, count]) =>
          Array.from({ length: count }, (_, partition) => ({ topic, partition })),
        );
        const offsets = await admin.offsets(partitions, { committed: true });
        return partitions.map((at, i) => {
          const { start = 0n, end = 0n } = offsets[i] ?? {};
          const position = positions.get(`${at.topic}/${at.partition}`) ?? null;
          const from = position ?? start;
          return { sink: target.name, ...at, position, end, behind: Number(end > from ? end - from : 0n) };
        });
      } catch (error) {
        problems.push({ sink: target.name, reason: messageOf(error) });
        return [];
      }
    }),
  );
  return { sinks: sinks.flat(), problems };
}

/** As documented in docs/INSPECT.md. */
export function lagJson(tasks: readonly TaskLag[], sinks: readonly SinkLag[]): Record<string, unknown> {
  return {
    stages: tasks.map(({ stage, partition, inputs, behind, watermark, lagMs, heldBack }) => ({
      stage,
      partition,
      behind,
      watermark: iso(watermark),
      lagMs: lagMs ?? null,
      heldBackBy: heldBack ?? null,
      inputs: inputs.map((input) => ({
        topic: input.topic,
        position: input.position === null ? null : Number(input.position),
        end: Number(input.end),
        behind: input.behind,
        watermark: iso(input.watermark),
        writer: input.writer ?? null,
      })),
    })),
    sinks: sinks.map(({ sink, topic, partition, position, end, behind }) => ({
      sink,
      topic,
      partition,
      position: position === null ? null : Number(position),
      end: Number(end),
      behind,
    })),
  };
}

/** For people: a line per stage and sink, or per partition. */
export function lagLines(
  tasks: readonly TaskLag[],
  sinks: readonly SinkLag[],
  partitions: boolean,
  paint: Paint,
): string[] {
  const stages = partitions ? tasks : [...Map.groupBy(tasks, ({ stage }) => stage).values()].map(sumOfTasks);
  const targets = partitions ? sinks : [...Map.groupBy(sinks, sinkTopic).values()].map(sumOfSinks);
  const stageRows = stages.map(({ stage, partition, behind, watermark, lagMs, heldBack }) => [
    partitions ? `${stage}/${partition}` : stage,
    countText(behind),
    lagMs === undefined ? '-' : durationText(lagMs),
    timeText(watermark),
    heldBack === undefined ? '-' : heldText(heldBack, paint),
  ]);
  const sinkRows = targets.map(({ sink, topic, partition, behind, position, end }) => [
    sink,
    partitions ? `${topic}-${partition}` : topic,
    countText(behind),
    ...(partitions ? [position === null ? '-' : String(position), String(end)] : []),
  ]);
  const sinkColumns = partitions ? [...SINK_COLUMNS, ...POSITION_COLUMNS] : SINK_COLUMNS;
  return [
    ...textTable(STAGE_COLUMNS, stageRows, paint),
    ...(sinkRows.length === 0 ? [] : ['', ...textTable(sinkColumns, sinkRows, paint)]),
  ];
}

const STAGE_COLUMNS: Column[] = [
  { title: 'STAGE' },
  { title: 'BEHIND', right: true },
  { title: 'LAG', right: true },
  { title: 'WATERMARK' },
  { title: 'HELD BACK BY' },
];
const SINK_COLUMNS: Column[] = [{ title: 'SINK' }, { title: 'TOPIC' }, { title: 'BEHIND', right: true }];
const POSITION_COLUMNS: Column[] = [
  { title: 'POSITION', right: true },
  { title: 'END', right: true },
];

/** `collector at bronze.app.pageviews-3 (silent for 12 s) through silver.pageviews_by_items/3`. */
function heldText({ writer, topic, partition, reason, chain }: HeldBack, paint: Paint): string {
  const who = writer === null ? paint.red('nobody') : paint.yellow(writer);
  const through = chain.length === 0 ? '' : paint.dim(` through ${chain.join(' <- ')}`);
  return `${who} at ${topic}-${partition} (${reason})${through}`;
}

/** A stage is as far as its least task. */
function sumOfTasks(tasks: readonly TaskLag[]): TaskLag {
  const least = tasks.reduce((a, b) => (b.watermark < a.watermark ? b : a));
  return { ...least, behind: tasks.reduce((sum, task) => sum + task.behind, 0) };
}

function sumOfSinks(lags: readonly SinkLag[]): SinkLag {
  const [first] = lags;
  if (first === undefined) throw new TypeError('a group is never empty');
  return { ...first, behind: lags.reduce((sum, lag) => sum + lag.behind, 0) };
}

const sinkTopic = ({ sink, topic }: SinkLag): string => `${sink} ${topic}`;

function messageOf(error: unknown): string {
  const { message = '', code } = error as { message?: string; code?: string };
  return message === '' ? (code ?? 'it does not answer') : message;
}
