import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { ConfigError } from '../errors.ts';
import { BATCH_HEADER_BYTES } from './builder.ts';

const NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** A batch inflated to at most this, bytes: a broken or hostile batch must not take all memory. */
const MAX_INFLATED_BYTES = 256 * 2 ** 20;

/** The batch with its records inflated (its header unchanged). ConfigError SLC_CONFIG_COMPRESSION for codecs that Node does not have. */
export function inflateBatch(batch: Buffer): Buffer {
  const codec = batch.readInt16BE(21) & 7;
  if (codec === 0) return batch;
  const name = NAMES[codec] ?? String(codec);
  if (name !== 'gzip' && name !== 'zstd') {
    throw new ConfigError('SLC_CONFIG_COMPRESSION', `a record batch is compressed with ${name}, which cannot be read`, {
      hint: 'set compression.type=zstd (or gzip, or producer with one of them) on the topic, and write it again',
    });
  }
  const records = batch.subarray(BATCH_HEADER_BYTES);
  const limit = { maxOutputLength: MAX_INFLATED_BYTES };
  const inflated = name === 'gzip' ? gunzipSync(records, limit) : zstdDecompressSync(records, limit);
  return Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), inflated]);
}
