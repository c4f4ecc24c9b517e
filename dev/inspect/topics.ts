/** `sluice topics`: what there is, how much of it, and how far its event time goes. */
import type { KafkaAdmin, KafkaClient, TopicPartition } from '#topology';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import { scan, type ScanRange } from './scan.ts';
import { bytesText, type Column, countText, iso, type Paint, textTable, timeText } from './text-table.ts';

/** One topic. Times are event time, ms. */
export interface TopicReport {
  readonly entry: CatalogueEntry;
  readonly partitions: number;
  /** From the first offset kept to the end: with transaction markers and what was aborted or compacted away, so at least the records. */
  readonly offsets: number;
  /** Counted; undefined when nobody asked. */
  readonly records: number | undefined;
  /** On the leaders' disks. */
  readonly bytes: number | undefined;
  /** Of the first and the last hundred offsets of each partition; of all when the records were counted. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /** Newest version of `<topic>-value`. */
  readonly schema: { readonly id: number; readonly version: number } | undefined;
}

/** Options of `reportTopics`. */
export interface TopicsOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly catalogue: Catalogue;
  /** Asks the registry; undefined without one. */
  readonly schemaOf: ((subject: string) => Promise<TopicReport['schema']>) | undefined;
  /** Reads all records to count them. */
  readonly count: boolean;
  /** Kafka's own and others' as well. */
  readonly all: boolean;
  /** Wall clock, ms. */
  readonly deadline: number;
}

const EDGE = 100n;
const EDGE_BYTES = 32 * 1024;
const TIERS = ['bronze', 'silver', 'gold'];

interface Seen {
  records: number;
  oldest: number;
  newest: number;
}

/** Topics by tier, then by name. `complete` false: the time ran out, event times and counts are of what was read. */
export async function reportTopics(options: TopicsOptions): Promise<{ topics: TopicReport[]; complete: boolean }> {
  const { admin, catalogue } = options;
  const names = (await admin.listTopics()).filter((name) => {
    const { kind } = catalogue.of(name);
    return options.all || (kind !== 'internal' && kind !== 'foreign');
  });
  const counts = await admin.partitionCounts(names);
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const ranges = (await admin.offsets(partitions, { committed: true })).map((offsets, i) => ({
    ...(partitions[i] as TopicPartition),
    ...offsets,
  }));
  const sizes = await admin.sizes(partitions).catch(() => []);
  const { seen, complete } = await look(options, ranges);
  const topics = await Promise.all(
    [...counts].map(async ([name, count]): Promise<TopicReport> => {
      const own = ranges.filter(({ topic }) => topic === name);
      const bytes = partitions.map(({ topic }, i) => (topic === name ? sizes[i] : 0));
      const found = seen.get(name);
      const entry = catalogue.of(name);
      return {
        entry,
        partitions: count,
        offsets: own.reduce((sum, { start, end }) => sum + Number(end - start), 0),
        records: options.count ? (found?.records ?? 0) : undefined,
        bytes:
          bytes.includes(undefined) || sizes.length === 0
            ? undefined
            : bytes.reduce<number>((sum, each) => sum + (each ?? 0), 0),
        oldest: found?.oldest,
        newest: found?.newest,
        schema: entry.avro ? await options.schemaOf?.(`${name}-value`) : undefined,
      };
    }),
  );
  return { topics: topics.toSorted(byTier), complete };
}

/** Reads the edges of every partition, or all of it. */
async function look(
  { client, count, deadline }: TopicsOptions,
  ranges: readonly (ScanRange & { readonly end: bigint })[],
): Promise<{ seen: Map<string, Seen>; complete: boolean }> {
  const seen = new Map<string, Seen>();
  const read = (of: readonly ScanRange[]): Promise<boolean> =>
    scan({
      client,
      ranges: of,
      deadline,
      ...(!count && { bytesPerPartition: EDGE_BYTES }),
      take({ topic }, { timestamp }) {
        let one = seen.get(topic);
        if (one === undefined) seen.set(topic, (one = { records: 0, oldest: Infinity, newest: -Infinity }));
        one.records++;
        one.oldest = Math.min(one.oldest, timestamp);
        one.newest = Math.max(one.newest, timestamp);
        return undefined;
      },
    });
  if (count) return { seen, complete: await read(ranges) };
  const first = ranges.map((range) => ({ ...range, end: least(range.end, range.start + EDGE) }));
  const last = ranges.map((range) => ({ ...range, start: most(range.start + EDGE, range.end - EDGE) }));
  // One after the other: a scan reads a partition once.
  const complete = (await read(first)) && (await read(last));
  return { seen, complete };
}

/** As documented in docs/INSPECT.md. */
export function topicJson(report: TopicReport): Record<string, unknown> {
  const { entry, schema } = report;
  return {
    name: entry.name,
    tier: entry.tier,
    kind: entry.kind,
    partitions: report.partitions,
    offsets: report.offsets,
    records: report.records ?? null,
    bytes: report.bytes ?? null,
    oldest: iso(report.oldest),
    newest: iso(report.newest),
    schema: schema === undefined ? null : { subject: `${entry.name}-value`, id: schema.id, version: schema.version },
  };
}

/** For people. */
export function topicLines(reports: readonly TopicReport[], paint: Paint): string[] {
  const counted = reports.some(({ records }) => records !== undefined);
  const columns: Column[] = [
    { title: 'TOPIC' },
    { title: 'KIND' },
    { title: 'PARTITIONS', right: true },
    { title: counted ? 'RECORDS' : 'OFFSETS', right: true },
    { title: 'SIZE', right: true },
    { title: 'OLDEST' },
    { title: 'NEWEST' },
    { title: 'SCHEMA' },
  ];
  const rows = reports.map(({ entry, schema, ...report }) => {
    const put = (entry.kind === 'dlq' || entry.kind === 'late') && report.offsets > 0 ? paint.yellow : same;
    return [
      put(entry.name),
      paint.dim(entry.kind),
      String(report.partitions),
      put(countText(report.records ?? report.offsets)),
      report.bytes === undefined ? '-' : bytesText(report.bytes),
      timeText(report.oldest),
      timeText(report.newest),
      schema === undefined ? '-' : `${schema.id} (version ${schema.version})`,
    ];
  });
  return textTable(columns, rows, paint);
}

const same = (text: string): string => text;
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);

function byTier(a: TopicReport, b: TopicReport): number {
  const rank = ({ entry }: TopicReport): number =>
    (TIERS.indexOf(entry.tier ?? '') + TIERS.length + 1) % (TIERS.length + 1);
  return rank(a) - rank(b) || (a.entry.name < b.entry.name ? -1 : 1);
}
