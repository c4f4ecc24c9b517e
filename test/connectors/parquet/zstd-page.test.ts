/** Pages of any size are frames that zstd reads; pyarrow.it.test.ts and the lake's tests by DuckDB read whole files of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { zstdPage } from '../../../connectors/parquet/zstd-page.ts';

const SIZES = [0, 1, 2, 254, 255, 256, 257, 300, 510, 511, 512, 513, 5_000, 100_000];

test('what zstd makes of a page is the page, around every border of the format', () => {
  for (const size of SIZES) {
    const page = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 3)) & 255);
    assert.deepEqual(new Uint8Array(zstdDecompressSync(zstdPage(page))), page, `${size} bytes`);
  }
});

test('a view into a larger buffer is taken as it is; large pages are compressed', () => {
  const view = new Uint8Array(1_000).fill(1).subarray(10, 20);
  assert.deepEqual(new Uint8Array(zstdDecompressSync(zstdPage(view))), new Uint8Array(10).fill(1));
  assert.ok(zstdPage(new Uint8Array(10_000)).length < 1_000);
});
