/**
 * Header `sluice-time` of records in derived topics: version u8 = 1 | ow i64, ms (-2^63 = -Infinity) | co (see coordinate.ts).
 * The format is final: later versions get another version byte.
 */
import type { Coordinate } from './coordinate.ts';
import type { RecordTime } from './record-time.ts';

/** Name of the header. */
export const TIME_HEADER = 'sluice-time';

const VERSION = 1;
const PREFIX_BYTES = 9;
const NONE = -(2n ** 63n);

/** The header's bytes for a record. */
export function encodeTime(time: RecordTime): Buffer {
  const coordinate = time.coordinate;
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + coordinate.length);
  bytes[0] = VERSION;
  writeWatermark(bytes, time.originWatermark);
  coordinate.copy(bytes, PREFIX_BYTES);
  return bytes;
}

/** True when the bytes are a header that this version can read. */
export function isTimeHeader(bytes: Buffer | null): bytes is Buffer {
  return bytes !== null && bytes.length >= PREFIX_BYTES && bytes[0] === VERSION;
}

/** ow of a header, ms. */
export function watermarkOf(header: Buffer): number {
  const high = header.readInt32BE(1);
  if (high === -0x8000_0000) return -Infinity;
  return high * 0x1_0000_0000 + header.readUInt32BE(5);
}

/** co of a header: a view into it, valid as long as the header's buffer. */
export function coordinateOf(header: Buffer): Coordinate {
  return header.subarray(PREFIX_BYTES);
}

function writeWatermark(bytes: Buffer, watermark: number): void {
  if (watermark === -Infinity) {
    bytes.writeBigInt64BE(NONE, 1);
    return;
  }
  bytes.writeInt32BE(Math.floor(watermark / 0x1_0000_0000), 1);
  bytes.writeUInt32BE(((watermark % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000, 5);
}
