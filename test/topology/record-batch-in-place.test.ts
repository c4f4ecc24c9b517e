/** Records written in place, field by field, come out as they went in: whatever their size, wherever the batch grows, whatever is given up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder, parseFetched, RecordCursor, type Serde } from '#topology';
import { randomOf } from '../random.ts';

/** Fills the buffer to its end before it says that there is no room, as Avro's encoder does. */
const greedy: Serde<Buffer> = {
  serialize: (value) => value,
  deserialize: (bytes) => Buffer.from(bytes),
  serializeAt: (value, buffer, at) => {
    value.copy(buffer, at);
    return at + value.length > buffer.length ? buffer.length - at - value.length : at + value.length;
  },
};

type Kind = 'none' | 'bytes' | 'copied' | 'text' | 'serde' | 'open';
const KINDS: readonly Kind[] = ['none', 'bytes', 'copied', 'text', 'serde', 'open'];
/** Around every border: of one byte of length, of two, of the loops, of the batch's first size. */
const SIZES = [0, 1, 20, 47, 48, 49, 62, 63, 64, 65, 300, 4_000, 8_190, 8_191, 8_192, 20_000];

interface Expected {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer])[];
  readonly timestamp: number;
}

const { random, seed } = randomOf('record-batch-in-place');
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
const ASCII = 'abcdefghijklmnopqrstuvwxyz|0123456789'.repeat(2_000);
/** ASCII, or not. */
const text = (size: number): string => (random() < 0.8 ? ASCII.slice(0, size) : 'ä€'.repeat(size / 5));

function write(builder: BatchBuilder, kind: Kind): Buffer | null {
  const left = builder.bytes.length - builder.sizeBytes - builder.begunBytes;
  // Sometimes it just fits, or just does not.
  const bytes = Buffer.from(text(pick([...SIZES, Math.max(0, left - Math.floor(random() * 60))])));
  switch (kind) {
    case 'none':
      builder.noField();
      return null;
    case 'bytes':
      builder.field(Buffer.concat([bytes, Buffer.from('more')]), bytes.length);
      return bytes;
    case 'copied':
      builder.copiedField(Buffer.concat([Buffer.from('before'), bytes, Buffer.from('more')]), 6, bytes.length);
      return bytes;
    case 'text':
      builder.textField(bytes.toString());
      return bytes;
    case 'serde':
      builder.serdeField(greedy, bytes);
      return bytes;
    case 'open': {
      const at = builder.openField(bytes.length);
      bytes.copy(builder.bytes, at);
      builder.closeField(at, at + bytes.length);
      return bytes;
    }
  }
}

function writeRecord(builder: BatchBuilder): Expected {
  const timestamp = 1_700_000_000_000 + Math.floor((random() - 0.5) * 10 ** pick([1, 4, 9]));
  builder.begin(timestamp);
  const key = write(builder, pick(KINDS));
  const value = write(builder, pick(KINDS));
  const count = Math.floor(random() * 3);
  builder.headerCount(count);
  const headers = Array.from({ length: count }, (_, i) => {
    const content = Buffer.from(text(pick(SIZES)));
    const at = builder.header(Buffer.from(`h${i}`), content.length);
    content.copy(builder.bytes, at);
    return [`h${i}`, content] as const;
  });
  return { key, value, headers, timestamp };
}

function readAll(builder: BatchBuilder): Expected[] {
  const cursor = new RecordCursor();
  const read: Expected[] = [];
  for (const batch of parseFetched(Buffer.from(builder.seal(1n, 0, 0, false)), 0n, []).batches) {
    cursor.open(batch);
    while (cursor.next()) {
      const headers = cursor.headers().map(([name, content]) => [name, content ?? Buffer.alloc(0)] as const);
      for (const [name, content] of headers) {
        assert.ok(cursor.findHeader(Buffer.from(name)));
        assert.deepEqual(cursor.buffer.subarray(cursor.headerAt, cursor.headerEnd), content);
      }
      assert.ok(!cursor.findHeader(Buffer.from('h')), 'a name that begins another one');
      read.push({ key: cursor.keyBytes(), value: cursor.valueBytes(), headers, timestamp: cursor.timestamp });
    }
  }
  return read;
}

test(`what is written in place is read (seed ${seed})`, () => {
  let records = 0;
  for (let run = 0; run < 300; run++) {
    const builder = new BatchBuilder();
    const next = new BatchBuilder();
    const expected: Expected[] = [];
    const moved: Expected[] = [];
    for (let left = 1 + Math.floor(random() * 12); left > 0; left--) {
      const record = writeRecord(builder);
      const fate = random();
      if (fate < 0.7) {
        builder.end();
        expected.push(record);
      } else if (fate < 0.85) {
        builder.moveBegun(next);
        next.end();
        moved.push(record);
      }
      // Else given up: the next one is written over it.
    }
    assert.deepEqual(readAll(builder), expected);
    assert.deepEqual(readAll(next), moved);
    records += expected.length + moved.length;
  }
  assert.ok(records > 1_000, `${records} records`);
});
