/** What the viewer makes of every type, read with the writer's schema alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotReadyError, RecordError } from '#topology';
import { MemoryRegistry, testSerdes } from '../../../connectors/avro/testing.ts';
import { type AvroViewer, type ViewedValue, viewerOver } from '../../../connectors/avro/viewer.ts';

const field = (name: string, type: unknown): object => ({ name, type });
const logical = (type: string, logicalType: string, more: object = {}): object => ({ type, logicalType, ...more });

const DEFINITION = {
  type: 'record',
  name: 'All',
  fields: [
    field('decimal', logical('bytes', 'decimal', { precision: 20, scale: 3 })),
    field('none', ['null', logical('bytes', 'decimal', { precision: 20, scale: 2 })]),
    field('some', ['null', logical('bytes', 'decimal', { precision: 20, scale: 2 })]),
    field('millis', logical('long', 'timestamp-millis')),
    field('micros', logical('long', 'timestamp-micros')),
    field('local', logical('long', 'local-timestamp-millis')),
    field('date', logical('int', 'date')),
    field('bytes', 'bytes'),
    field('map', { type: 'map', values: logical('int', 'date') }),
    field('list', { type: 'array', items: logical('long', 'timestamp-millis') }),
    field('inner', { type: 'record', name: 'Inner', fields: [field('x', 'double')] }),
    field('either', ['null', { type: 'record', name: 'A', fields: [field('a', 'int')] }, 'string']),
    field('kind', { type: 'enum', name: 'Kind', symbols: ['ONE', 'TWO'] }),
  ],
};

const VALUE = {
  decimal: -5n,
  none: null,
  some: 12_345n,
  millis: 1_000,
  micros: -1,
  local: 0,
  date: -1,
  bytes: Buffer.from([0, 255]),
  map: { k: 0 },
  list: [0, 1],
  inner: { x: Number.NaN },
  either: { a: 1 },
  kind: 'TWO',
};

async function viewed(viewer: AvroViewer, bytes: Buffer): Promise<ViewedValue> {
  try {
    return viewer.view(bytes);
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error;
    await error.ready;
    return viewer.view(bytes);
  }
}

describe('the viewer', async () => {
  const registry = Object.assign(new MemoryRegistry(), { latest: () => Promise.resolve(undefined) });
  const serde = await testSerdes(registry).open('all', { name: 'all', definition: DEFINITION }, { write: true });
  const viewer = viewerOver(registry);
  const bytes = Buffer.from(serde.serialize(VALUE));

  test('every type as JSON', async () => {
    assert.deepEqual(await viewed(viewer, bytes), {
      schemaId: 1,
      value: {
        decimal: '-0.005',
        none: null,
        some: '123.45',
        millis: '1970-01-01T00:00:01.000Z',
        micros: '1969-12-31T23:59:59.999999Z',
        local: '1970-01-01T00:00:00.000',
        date: '1969-12-31',
        bytes: '00ff',
        map: { k: '1970-01-01' },
        list: ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z'],
        inner: { x: 'NaN' },
        either: { a: 1 },
        kind: 'TWO',
      },
    });
  });

  test('what is no value of its schema says why', async () => {
    await viewed(viewer, bytes);
    const code = (code: string) => (error: unknown) => error instanceof RecordError && error.code === code;
    assert.throws(() => viewer.view(bytes.subarray(0, 12)), code('SLC_RECORD_DECODE'));
    assert.throws(() => viewer.view(Buffer.concat([bytes, Buffer.from([1])])), code('SLC_RECORD_DECODE'));
    assert.throws(() => viewer.view(Buffer.from('text')), code('SLC_RECORD_DECODE'));
    await assert.rejects(viewed(viewer, Buffer.from([0, 0, 0, 0, 9, 1])), code('SLC_RECORD_SCHEMA_UNKNOWN'));
  });
});
