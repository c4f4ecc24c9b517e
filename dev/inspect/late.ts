/** `sluice late list`: records that came too late for their windows. */
import type { KafkaAdmin, KafkaClient } from '#topology';
import { durationText } from '../supervisor/live-view.ts';
import { rangesOf } from '../verify/read-topics.ts';
import { scan } from './scan.ts';
import { countText, iso, type Paint, textTable, timeText } from './text-table.ts';

/** A late record, as topology/runtime/task-output.ts writes it. Times are event time, ms. */
export interface LateRecord {
  readonly place: string;
  readonly stage: string;
  readonly reason: string;
  readonly latenessMs: number | null;
  readonly windowStart: number | null;
  readonly windowEnd: number | null;
  readonly key: string | null;
  readonly value: unknown;
  readonly timestamp: number;
  readonly originWatermark: unknown;
}

/** Late records of one stage and reason. */
export interface LateCount {
  readonly stage: string;
  readonly reason: string;
  count: number;
  /** ms. */
  mostLate: number;
  sumLate: number;
  oldest: number;
  newest: number;
}

/** All late topics, by name. */
export async function lateTopics(admin: KafkaAdmin): Promise<string[]> {
  return (await admin.listTopics()).filter((name) => name.endsWith('.late')).toSorted();
}

/** Counts by stage and reason, and the newest records by event time. `complete` false: the time ran out. */
export async function readLate(
  client: KafkaClient,
  admin: KafkaAdmin,
  options: { readonly stage: string | undefined; readonly limit: number; readonly deadline: number },
): Promise<{ counts: LateCount[]; newest: LateRecord[]; complete: boolean }> {
  const { stage, limit } = options;
  const topics = (await lateTopics(admin)).filter((name) => stage === undefined || name === `${stage}.late`);
  const counts = new Map<string, LateCount>();
  let newest: LateRecord[] = [];
  const complete = await scan({
    client,
    ranges: await rangesOf(admin, topics),
    deadline: options.deadline,
    take({ topic, partition }, cursor) {
      const late = lateOf(`${topic}-${partition}@${cursor.offset}`, topic, cursor.timestamp, cursor.valueBytes());
      count(counts, late);
      newest.push(late);
      if (newest.length > limit * 2) newest = newestOf(newest, limit);
      return undefined;
    },
  });
  return {
    counts: [...counts.values()].toSorted((a, b) => b.count - a.count || (a.stage < b.stage ? -1 : 1)),
    newest: newestOf(newest, limit),
    complete,
  };
}

/** The record of a late topic, as far as it can be read. */
export function lateOf(place: string, topic: string, timestamp: number, value: Buffer | null): LateRecord {
  const none = { latenessMs: null, windowStart: null, windowEnd: null, key: null, value: null, originWatermark: null };
  const unknown = { ...none, place, stage: topic.replace(/\.late$/, ''), reason: 'unreadable', timestamp };
  try {
    return { ...unknown, ...(JSON.parse(value?.toString('utf8') ?? '') as Partial<LateRecord>), place };
  } catch {
    return unknown; // anybody may write there
  }
}

function count(counts: Map<string, LateCount>, { stage, reason, latenessMs, timestamp }: LateRecord): void {
  const id = `${stage}|${reason}`;
  let one = counts.get(id);
  if (one === undefined) {
    counts.set(id, (one = { stage, reason, count: 0, mostLate: 0, sumLate: 0, oldest: Infinity, newest: -Infinity }));
  }
  one.count++;
  one.mostLate = Math.max(one.mostLate, latenessMs ?? 0);
  one.sumLate += latenessMs ?? 0;
  one.oldest = Math.min(one.oldest, timestamp);
  one.newest = Math.max(one.newest, timestamp);
}

function newestOf(records: readonly LateRecord[], limit: number): LateRecord[] {
  return records.toSorted((a, b) => a.timestamp - b.timestamp || (a.place < b.place ? -1 : 1)).slice(-limit);
}

/** As documented in docs/INSPECT.md. */
export function lateJson(counts: readonly LateCount[], newest: readonly LateRecord[]): Record<string, unknown> {
  return {
    late: counts.map(({ stage, reason, count: records, mostLate, sumLate, oldest, newest: last }) => ({
      stage,
      reason,
      count: records,
      mostLateMs: mostLate,
      meanLateMs: Math.round(sumLate / records),
      oldest: iso(oldest),
      newest: iso(last),
    })),
    newest: newest.map(({ timestamp, windowStart, windowEnd, originWatermark, ...record }) => ({
      ...record,
      timestamp: iso(timestamp),
      windowStart: iso(windowStart),
      windowEnd: iso(windowEnd),
      originWatermark: typeof originWatermark === 'number' ? iso(originWatermark) : null,
    })),
  };
}

/** For people: the counts, and with `records` the newest below them. */
export function lateLines(
  counts: readonly LateCount[],
  newest: readonly LateRecord[],
  records: boolean,
  paint: Paint,
): string[] {
  if (counts.length === 0) return ['no late records'];
  const columns = [
    { title: 'STAGE' },
    { title: 'REASON' },
    { title: 'RECORDS', right: true },
    { title: 'MEAN', right: true },
    { title: 'MOST', right: true },
    { title: 'OLDEST' },
    { title: 'NEWEST' },
  ];
  const rows = counts.map((each) => [
    each.stage,
    each.reason,
    countText(each.count),
    durationText(each.sumLate / each.count),
    durationText(each.mostLate),
    timeText(each.oldest),
    timeText(each.newest),
  ]);
  const table = textTable(columns, rows, paint);
  if (!records) return table;
  const line = (late: LateRecord): string => {
    const window =
      late.windowStart === null ? '' : `, window ${timeText(late.windowStart)} to ${timeText(late.windowEnd)}`;
    const how = late.latenessMs === null ? '' : ` ${durationText(late.latenessMs)} late${window}`;
    const value = JSON.stringify(late.value);
    return `${timeText(late.timestamp)}  ${paint.dim(late.place)}  ${paint.bold(late.key ?? '-')}${how}  ${value}`;
  };
  return [...table, '', ...newest.map(line)];
}
