import { crc32c as native } from '@node-rs/crc32';

/**
 * CRC-32C (Castagnoli) of bytes[from, to), unsigned: the checksum of record batches. By the processor's own instruction: 4 to 5 GB/s, where a table of 8
 * slices in JavaScript does 0.9.
 */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  return native(bytes.subarray(from, to));
}
