import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generate, GENERATE_COMMAND, readSchemaFiles } from '../../schemas/generate.ts';
import { schemas } from '../../schemas/index.ts';

const folder = join(import.meta.dirname, '../../schemas');

describe('schemas/generated.ts', () => {
  it('is what the .avsc files say', () => {
    const found = readFileSync(join(folder, 'generated.ts'), 'utf8');
    assert.equal(found, generate(readSchemaFiles(folder)), `schemas/*.avsc changed: run \`${GENERATE_COMMAND}\``);
  });

  it('has an entry per file', () => {
    assert.deepEqual(Object.keys(schemas).sort(), [...readSchemaFiles(folder).keys()].sort());
    assert.equal(schemas['bronze.shop.users-key'].name, 'bronze.shop.users-key');
  });
});

describe('generate', () => {
  const record = (type: unknown): Map<string, string> =>
    new Map([['a.b_c', JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'f', type }] })]]);

  const cases: [unknown, RegExp][] = [
    [
      { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 },
      /2 digits after the point \*\/\n {2}readonly f: bigint;/,
    ],
    [['null', { type: 'int', logicalType: 'date' }], /readonly f: number \| null;/],
    [{ type: 'array', items: ['null', 'long'] }, /readonly f: readonly \(number \| null\)\[\];/],
    [{ type: 'map', values: 'bytes' }, /readonly f: Readonly<Record<string, Uint8Array>>;/],
    [{ type: 'enum', name: 'E', symbols: ['A', 'B'] }, /readonly f: 'A' \| 'B';/],
    [{ type: 'record', name: 'In', fields: [] }, /export interface ABCIn {\n}\n[^]*readonly f: ABCIn;/],
  ];
  for (const [type, expected] of cases) {
    it(`maps ${JSON.stringify(type)}`, () => assert.match(generate(record(type)), expected));
  }

  it('refuses a union of two types', () => {
    assert.throws(() => generate(record(['int', 'string'])), /only unions of null and one type/);
    assert.throws(() => generate(record('Unknown')), /not known at its place/);
  });
});
