/**
 * The reference workload, defined once: a day of page views of a shop, the same bytes on every machine, and the results that are right.
 * Zipf over 2,000 items and five channels; 2 % up to 5 min out of order, 0.5 % 2 to 6 h late, 1 % without an item.
 */
import { partitionFor, type StreamRecord } from '#topology';
import { AvroWriter } from './avro-writer.ts';

/** Event time of the first record, ms. */
export const FIRST_MS = Date.UTC(2026, 5, 1);
/** Rows of the items table. */
export const ITEM_COUNT = 50_000;
/** Partitions of all topics of the benchmark, where nothing else is said. */
export const PARTITIONS = 6;
/** Items that are looked at, where nothing else is said. */
export const HOT_ITEMS = 2_000;

/** How many page views there are, of how many items, in how many partitions. */
export interface Shape {
  readonly records: number;
  /** Default HOT_ITEMS; at most ITEM_COUNT. */
  readonly hotItems?: number;
  /** Default PARTITIONS. */
  readonly partitions?: number;
}

/** Sizes with their right results: `count:sum:checksum` for window counts, `rows:bytes:checksum` for enriched views. */
export const DATASETS = {
  full: { records: 2_000_000, counts: '728482:7880328:249b750', enriched: '2000000:288837047:93ab9935' },
  small: { records: 200_000, counts: '245288:788292:306de31b', enriched: '200000:28888438:d507c746' },
} as const;

/** Which of them. */
export type DatasetName = keyof typeof DATASETS;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const USERS = 100_000;
const CATEGORIES = ['shoes', 'coats', 'books', 'garden', 'audio', 'toys', 'kitchen', 'bikes'] as const;

/** Schema ids in the Confluent framing, the same for both engines: neither asks a registry. */
export const SCHEMA_IDS = { pageview: 1, counts: 2, enriched: 3, item: 4 } as const;

/** A record ready to be sent. */
export interface LoadedRecord extends StreamRecord<Uint8Array, Uint8Array> {
  readonly partition: number;
}

/** The page views of a shape, in the order in which they are sent. Views of one call only: the value is overwritten by the next. */
export function* pageviews({
  records,
  hotItems = HOT_ITEMS,
  partitions: count = PARTITIONS,
}: Shape): Generator<LoadedRecord> {
  const random = mulberry(20260601);
  const itemOf = zipf(hotItems);
  const keys = Array.from({ length: USERS }, (_, user) => Buffer.from(`u-${pad(user, 6)}`));
  const partitions = keys.map((key) => partitionFor(key, count));
  const writer = new AvroWriter(SCHEMA_IDS.pageview);
  for (let i = 0; i < records; i++) {
    const base = FIRST_MS + Math.floor((i * DAY_MS) / records);
    // The order of these draws is part of the workload.
    const user = Math.floor(random() * USERS);
    const item = itemOf(random());
    const channel = channelOf(random());
    const kind = random();
    const back = random();
    const timestamp = i < 1_000 ? base : delayed(base, kind, back);
    const id = random() < 0.01 ? '' : itemId(item);
    const eventId = pad(i, 8) + hex(random());
    const key = keys[user] ?? Buffer.alloc(0);
    writer.start().text(eventId).text(key.toString('latin1')).text(id).text(channel);
    writer.text(`https://shop.example.com/p/${id}?utm_source=${channel}&v=${i % 97}`).long(timestamp);
    yield { key, value: writer.view(), timestamp, partition: partitions[user] ?? 0 };
  }
}

/** The rows of the items table. */
export function* items(): Generator<LoadedRecord> {
  const writer = new AvroWriter(SCHEMA_IDS.item);
  for (let i = 0; i < ITEM_COUNT; i++) {
    const key = Buffer.from(itemId(i));
    writer
      .start()
      .text(itemId(i))
      .text(`Product number ${pad(i, 5)}`);
    writer.text(CATEGORIES[(i * 7) % 8] ?? '').long(199 + ((i * 7_919) % 50_000));
    yield { key, value: writer.view(), timestamp: FIRST_MS - DAY_MS, partition: partitionFor(key, PARTITIONS) };
  }
}

/** FNV-1a, 32 bits. */
export function fnv(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `count:sum:checksum` of final counts by `windowStart|item|channel`, whatever their order. */
export function checksumOfCounts(counts: Iterable<readonly [key: string, count: number]>): string {
  let checksum = 0;
  let sum = 0;
  let keys = 0;
  for (const [key, count] of counts) {
    checksum = (checksum + fnv(Buffer.from(`${key}=${count}`, 'latin1'))) >>> 0;
    sum += count;
    keys++;
  }
  return `${keys}:${sum}:${checksum.toString(16)}`;
}

function delayed(base: number, kind: number, back: number): number {
  if (kind < 0.02) return base - Math.floor(back * 5 * MINUTE_MS);
  if (kind < 0.025) return base - 2 * HOUR_MS - Math.floor(back * 4 * HOUR_MS);
  return base;
}

function channelOf(draw: number): string {
  if (draw < 0.45) return 'web';
  if (draw < 0.7) return 'ios';
  if (draw < 0.88) return 'android';
  return draw < 0.96 ? 'email' : 'partner';
}

const pad = (n: number, width: number): string => String(n).padStart(width, '0');
const hex = (draw: number): string =>
  Math.floor(draw * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
const itemId = (item: number): string => `item-${pad(item, 5)}`;

/** Item by a draw in [0, 1): exponent 1. */
function zipf(count: number): (draw: number) => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) cumulated[i] = sum += 1 / (i + 1);
  return (draw) => {
    const wanted = draw * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function mulberry(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
