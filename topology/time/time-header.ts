/**
 * Header `sluice-time` of records in derived topics: version u8 = 1 | ow i64, ms (-2^63 = -Infinity) | co (see coordinate.ts).
 * The format is final: later versions get another version byte.
 */
import type { Coordinate } from './coordinate.ts';
import { readInt32, writeInt32, writeInt64 } from '../int64.ts';
import type { CurrentTime, RecordTime, WritableTime } from './record-time.ts';

/** Name of the header. */
export const TIME_HEADER = 'sluice-time';

/** The name as bytes. */
export const TIME_HEADER_NAME: Uint8Array = new TextEncoder().encode(TIME_HEADER);

const VERSION = 1;
const PREFIX_BYTES = 9;
const HIGH = 0x1_0000_0000;
const LEAST_INT32 = -0x8000_0000;

/** The header's bytes for a record. */
export function encodeTime(time: RecordTime): Buffer {
  const bytes = Buffer.allocUnsafe(timeBytes(time));
  writeTime(bytes, 0, time);
  return bytes;
}

/** How many bytes `writeTime` writes. */
export function timeBytes(time: RecordTime): number {
  return PREFIX_BYTES + (isWritable(time) ? time.coordinateBytes : time.coordinate.length);
}

/** As encodeTime, into `bytes` at `at`. */
export function writeTime(bytes: Buffer, at: number, time: RecordTime): void {
  bytes[at] = VERSION;
  writeWatermark(bytes, at + 1, time.originWatermark);
  if (isWritable(time)) return time.writeCoordinate(bytes, at + PREFIX_BYTES);
  time.coordinate.copy(bytes, at + PREFIX_BYTES);
}

const isWritable = (time: RecordTime): time is WritableTime => 'writeCoordinate' in time;

/** Sets `time` to what the header in bytes[from, to) says; false when this version cannot read it. */
export function readTime(bytes: Buffer, from: number, to: number, time: CurrentTime): boolean {
  if (to - from < PREFIX_BYTES || bytes[from] !== VERSION) return false;
  time.setDerived(readWatermark(bytes, from + 1), bytes, from + PREFIX_BYTES, to);
  return true;
}

/** True when the bytes are a header that this version can read. */
export function isTimeHeader(bytes: Buffer | null): bytes is Buffer {
  return bytes !== null && bytes.length >= PREFIX_BYTES && bytes[0] === VERSION;
}

/** ow of a header, ms. */
export function watermarkOf(header: Buffer): number {
  return readWatermark(header, 1);
}

/** co of a header: a view into it, valid as long as the header's buffer. */
export function coordinateOf(header: Buffer): Coordinate {
  return header.subarray(PREFIX_BYTES);
}

function readWatermark(bytes: Uint8Array, at: number): number {
  const high = readInt32(bytes, at);
  return high === LEAST_INT32 ? -Infinity : high * HIGH + (readInt32(bytes, at + 4) >>> 0);
}

function writeWatermark(bytes: Uint8Array, at: number, watermark: number): void {
  if (watermark !== -Infinity) return writeInt64(bytes, watermark, at);
  writeInt32(bytes, LEAST_INT32, at);
  writeInt32(bytes, 0, at + 4);
}
