/** 64-bit numbers in bytes without BigInt: event times are exact in a number. Measured with the look-up of window-store.ts. */
const HIGH = 0x1_0000_0000;

/** Writes a whole number below 2^53 as i64, big-endian. */
export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / HIGH), at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}

/** As `writeInt64`, with the sign bit flipped: bytes then sort as the numbers do. */
export function writeSortableInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE((Math.floor(value / HIGH) ^ 0x8000_0000) >>> 0, at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}
