/**
 * 64-bit numbers in bytes without BigInt: event times are exact in a number. Measured with the look-up of window-store.ts; byte by byte, because Buffer's
 * own methods check what they are given each time.
 */
const HIGH = 0x1_0000_0000;

/** Writes a whole number below 2^53 as i64, big-endian. */
export function writeInt64(bytes: Uint8Array, value: number, at: number): void {
  writeInt32(bytes, Math.floor(value / HIGH), at);
  writeInt32(bytes, value, at + 4);
}

/** As `writeInt64`, with the sign bit flipped: bytes then sort as the numbers do. */
export function writeSortableInt64(bytes: Uint8Array, value: number, at: number): void {
  writeInt32(bytes, Math.floor(value / HIGH) ^ 0x8000_0000, at);
  writeInt32(bytes, value, at + 4);
}

/** The lower 32 bits of a whole number below 2^53, big-endian. */
export function writeInt32(bytes: Uint8Array, value: number, at: number): void {
  const low = value | 0;
  bytes[at] = low >>> 24;
  bytes[at + 1] = low >>> 16;
  bytes[at + 2] = low >>> 8;
  bytes[at + 3] = low;
}

/** A signed 32-bit number, big-endian. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return (byte(bytes, at) << 24) | (byte(bytes, at + 1) << 16) | (byte(bytes, at + 2) << 8) | byte(bytes, at + 3);
}

const byte = (bytes: Uint8Array, at: number): number => bytes[at] as number;
