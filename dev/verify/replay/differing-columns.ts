/** Which columns of a row are different: for the rows that a comparison names, read again and decoded. */
import { type KafkaClient, TIME_HEADER, type RecordCursor } from '#topology';
import { iso } from '../../inspect/text-table.ts';
import { scan, type ScanRange } from '../../inspect/scan.ts';
import type { ByteViewer } from '../../inspect/show-bytes.ts';
import type { WrongRow } from './compare-rows.ts';

/** A column that has another value in the replay; `undefined`: there is no such column. */
export interface DifferingColumn {
  readonly column: string;
  readonly live: unknown;
  readonly replay: unknown;
}

/** What reading them needs. */
export interface ReadRows {
  readonly client: KafkaClient;
  readonly viewer: ByteViewer;
  /** ms since the epoch. */
  readonly deadline: number;
  /** Their origin time is compared too. */
  readonly withTime: boolean;
}

type Columns = ReadonlyMap<string, unknown>;

const MAX_COLUMNS = 10;
const MAX_CHARS = 200;

/** The rows, those that differ with their columns; without them where Kafka no longer has the rows, or the time is over. */
export async function withColumns(
  options: ReadRows,
  wrong: readonly WrongRow[],
  topics: { readonly live: string; readonly replay: string },
): Promise<WrongRow[]> {
  const places = (side: 'live' | 'replay'): string[] =>
    wrong.flatMap((row) => (row.what === 'differs' ? (row[side] ?? []) : []));
  if (places('live').length === 0) return [...wrong];
  const live = await read(options, topics.live, places('live'));
  const replay = await read(options, topics.replay, places('replay'));
  return wrong.map((row) => {
    const [here, there] = [live.get(row.live ?? ''), replay.get(row.replay ?? '')];
    if (row.what !== 'differs' || here === undefined || there === undefined) return row;
    return { ...row, columns: differing(here, there) };
  });
}

/** At most ten, in the order of live's. */
export function differing(live: Columns, replay: Columns): DifferingColumn[] {
  const names = [...new Set([...live.keys(), ...replay.keys()])];
  return names
    .map((column) => ({ column, live: bounded(live.get(column)), replay: bounded(replay.get(column)) }))
    .filter(({ column }) => JSON.stringify(live.get(column)) !== JSON.stringify(replay.get(column)))
    .slice(0, MAX_COLUMNS);
}

/** A value that is long as text is cut. */
function bounded(value: unknown): unknown {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}...` : value;
}

/** Rows by place, `<partition>@<offset>`. */
async function read(options: ReadRows, topic: string, places: readonly string[]): Promise<Map<string, Columns>> {
  const byPartition = Map.groupBy(
    places.map((place) => place.split('@').map(BigInt) as [bigint, bigint]),
    ([partition]) => Number(partition),
  );
  const ranges = [...byPartition].map(([partition, all]): ScanRange => {
    const offsets = all.map(([, offset]) => offset).toSorted((a, b) => (a < b ? -1 : 1));
    return { topic, partition, start: offsets[0] ?? 0n, end: (offsets.at(-1) ?? 0n) + 1n };
  });
  const wanted = new Set(places);
  const found = new Map<string, Columns>();
  await scan({
    ...options,
    ranges,
    take: ({ partition }, cursor) => {
      const place = `${partition}@${cursor.offset}`;
      if (wanted.has(place)) found.set(place, columnsOf(options, cursor));
      return undefined;
    },
  });
  return found;
}

/** The value's fields; a value that has none as `value`. What the engine adds stands in brackets. */
function columnsOf({ viewer, withTime }: ReadRows, cursor: RecordCursor): Columns {
  const { value } = viewer.show(cursor.valueBytes(), 'may');
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  const time = cursor.header(TIME_HEADER);
  return new Map<string, unknown>([
    ...(isRecord ? Object.entries(value) : [['value', value] as const]),
    ['(timestamp)', iso(cursor.timestamp)],
    ...(withTime ? [['(sluice-time)', time == null ? null : Buffer.from(time).toString('hex')] as const] : []),
  ]);
}
