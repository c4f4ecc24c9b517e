/** Contracts are kept: each topic that a stage writes has one, its stage checks it last, and docs/DATA.md tells it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { buildTopology, type Contract } from '#topology';
import { contractsOf, shopDataPage } from '../../bin/data-page.ts';
import { shopStages, topics } from '../../processors/index.ts';
import { testSerdes } from '../../connectors/avro/testing.ts';

const shopContracts = contractsOf(buildTopology(shopStages, { app: 'shop' }));
const written = [...Object.values(topics.silver), ...Object.values(topics.gold)];

describe('contracts of the shop', () => {
  test('docs/DATA.md is what schemas and stages say (npm run generate writes it)', () => {
    assert.equal(readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'DATA.md'), 'utf8'), shopDataPage());
  });

  test('every topic of silver and gold has one, and every column a meaning', () => {
    assert.deepEqual(shopContracts.map(({ topic }) => topic).toSorted(), written.map(({ name }) => name).toSorted());
    for (const { name, value } of written) {
      const { doc, fields } = value.definition as { doc?: string; fields: readonly { name: string; doc?: string }[] };
      assert.ok(doc, `${name} has no doc`);
      for (const field of fields) assert.ok(field.doc, `${name}.${field.name} has no doc`);
    }
  });

  test('every stage checks the contract of its topic last', () => {
    const { subTopologies } = buildTopology(shopStages, { app: 'shop' });
    const sinks = subTopologies.flatMap((sub) => sub.sinks);
    for (const { name } of written) {
      const writers = sinks.filter(({ topic }) => topic.name === name);
      assert.ok(writers.length > 0, `${name} is written by nobody`);
      for (const { node } of writers) {
        assert.deepEqual(
          node.parents.map(({ spec }) => [spec.kind, spec.detail]),
          [['checked', name]],
        );
      }
    }
  });

  for (const contract of shopContracts) {
    test(`${contract.topic}: the example keeps it and is a row of the topic`, async () => {
      for (const check of contract.checks) assert.equal(check.problem(contract.example), undefined, check.rule);
      const topic = written.find(({ name }) => name === contract.topic);
      assert.ok(topic);
      const serde = await testSerdes().open<object>(`${topic.name}-value`, topic.value, { write: true });
      assert.deepEqual(serde.deserialize(serde.serialize(contract.example)), contract.example);
    });

    test(`${contract.topic}: each check finds a row that breaks it`, () => {
      for (const check of contract.checks) assert.ok(breaks(contract, check.rule), `nothing breaks: ${check.rule}`);
    });
  }
});

/** Values that are wrong almost everywhere, put into one column after the other. */
function breaks({ checks, example }: Contract<object>, rule: string): boolean {
  const check = checks.find((each) => each.rule === rule);
  assert.ok(check);
  const zero = (value: unknown): unknown => (typeof value === 'number' ? 0 : typeof value === 'bigint' ? 0n : value);
  const nothing = Object.fromEntries(Object.entries(example).map(([column, value]) => [column, zero(value)]));
  if (check.problem(nothing) !== undefined) return true;
  const texts = Object.values(example).filter((value) => typeof value === 'string');
  return Object.entries(example).some(([column, value]) => {
    const wrong: unknown[] =
      typeof value === 'bigint'
        ? [-1n, value + 1n]
        : typeof value === 'number'
          ? [-1, 0, 1e9, value + 1]
          : ['Not This ', '', ...texts];
    return [...wrong, null].some((each) => check.problem({ ...example, [column]: each }) !== undefined);
  });
}
