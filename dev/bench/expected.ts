/** The right results of the workload for data sets of any size, from its rules alone: no engine is asked. */
import { AvroReader } from './avro-writer.ts';
import { checksumOfCounts, FIRST_MS, fnv, HOT_ITEMS, items, pageviews, SCHEMA_IDS, type Shape } from './workload.ts';

const HOUR_MS = 3_600_000;
const ADVANCE_MS = 900_000;
const FRAME_BYTES = 5;
const WINDOWS_OF_A_VIEW = HOUR_MS / ADVANCE_MS;
/** Windows of the day, with those that began in the hours before it: views come up to 6 h late. */
const FIRST_WINDOW_MS = FIRST_MS - 8 * HOUR_MS;
const WINDOWS = (34 * HOUR_MS) / ADVANCE_MS;
/** In a union of null and something: the branch. */
const ABSENT = 0;
const PRESENT = 2;

/** Window counts that are right. */
export interface ExpectedCounts {
  /** `count:sum:checksum`, as `readOutput` makes it. */
  readonly checksum: string;
  /** All that is to be counted: the sum of the counts. */
  readonly counts: number;
  /** What there would be to count if nothing was ever late: each view with an item, in each of its windows. */
  readonly updates: number;
}

/** R1 and R2 by their rule: a view that is 1 h behind the newest of its partition no longer counts. */
export function expectedCounts(shape: Shape): ExpectedCounts {
  const newest = new Map<number, number>();
  const byKey = new Map<string, Uint32Array>();
  const avro = new AvroReader();
  let counts = 0;
  let updates = 0;
  for (const { value, timestamp, partition } of pageviews(shape)) {
    avro.open(bufferOf(value));
    avro.text();
    avro.text();
    const item = avro.text();
    if (item === '') continue;
    const key = `${item}|${avro.text()}`;
    updates += WINDOWS_OF_A_VIEW;
    const max = Math.max(timestamp, newest.get(partition) ?? 0);
    newest.set(partition, max);
    if (timestamp < max - HOUR_MS) continue;
    counts += WINDOWS_OF_A_VIEW;
    let windows = byKey.get(key);
    if (windows === undefined) byKey.set(key, (windows = new Uint32Array(WINDOWS)));
    const last = Math.floor((timestamp - FIRST_WINDOW_MS) / ADVANCE_MS);
    for (let nth = last; nth > last - WINDOWS_OF_A_VIEW; nth--) windows[nth] = (windows[nth] ?? 0) + 1;
  }
  return { checksum: checksumOfCounts(entriesOf(byKey)), counts, updates };
}

/** R3 by its rule: every view, with its item when there is one. `rows:bytes:checksum`, as `readOutput` makes it. */
export function expectedEnriched(shape: Shape): string {
  let rows = 0;
  let bytes = 0;
  let sum = 0;
  for (const row of enrichedRows(shape)) {
    sum = (sum + fnv(row)) >>> 0;
    bytes += row.length;
    rows++;
  }
  return `${rows}:${bytes}:${sum.toString(16)}`;
}

/** The rows of R3, each where its view is in the input. */
export function* enrichedRows(shape: Shape): Generator<Buffer> {
  const nothing = Buffer.from([ABSENT, ABSENT, ABSENT]);
  const tails = tailsOf(shape.hotItems ?? HOT_ITEMS);
  const avro = new AvroReader();
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(SCHEMA_IDS.enriched, 1);
  for (const { value } of pageviews(shape)) {
    avro.open(bufferOf(value));
    avro.text();
    avro.text();
    yield Buffer.concat([frame, value.subarray(FRAME_BYTES), tails.get(avro.text()) ?? nothing]);
  }
}

/** What an item adds to a view, as bytes: its fields behind its id, each of them a union with null. */
function tailsOf(count: number): Map<string, Buffer> {
  const tails = new Map<string, Buffer>();
  const avro = new AvroReader();
  for (const { value } of items()) {
    if (tails.size === count) break;
    const row = bufferOf(value);
    const id = avro.open(row).text();
    const name = avro.position;
    avro.text();
    const category = avro.position;
    avro.text();
    const price = avro.position;
    const present = Buffer.from([PRESENT]);
    const fields = [row.subarray(name, category), row.subarray(category, price), row.subarray(price)];
    tails.set(id, Buffer.concat(fields.flatMap((field) => [present, field])));
  }
  return tails;
}

function* entriesOf(byKey: ReadonlyMap<string, Uint32Array>): Generator<[string, number]> {
  for (const [key, windows] of byKey) {
    for (const [nth, count] of windows.entries()) {
      if (count > 0) yield [`${FIRST_WINDOW_MS + nth * ADVANCE_MS}|${key}`, count];
    }
  }
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
