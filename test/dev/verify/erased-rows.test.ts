/** verify leaves out rows of erased users, theirs only, and only where they are erased. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashOfUser } from '../../../dev/erase/erasures.ts';
import { compareRows } from '../../../dev/verify/compare.ts';
import { ErasedUsers, type PersonalTables } from '../../../dev/verify/erased-rows.ts';
import { isRight, report } from '../../../dev/verify/report.ts';
import type { Row } from '../../../dev/verify/tables.ts';

const personal: PersonalTables = {
  tables: new Map([
    ['gold.a', { column: 'userId', isErasedInKafka: true }],
    ['silver.b', { column: 'userId', isErasedInKafka: false }],
  ]),
  secret: 's',
};
const COLUMNS = ['_key', 'userId', 'n'];
const seven = hashOfUser('shop', '7', 's');
const expected: Row[] = [
  ['a', '7', '1'],
  ['b', '8', '1'],
  ['c', null, '1'],
];
const found: Row[] = [['a', '7', '1'], ...expected.slice(1), ['a', null, null], ['d', '7', '2'], ['e', null, null]];

describe('rows of erased users', () => {
  test('all of a key that was theirs goes, on both sides; a tombstone of a key that nobody knows stays', () => {
    const left = new ErasedUsers('shop', personal, [seven]).without('gold.a', 'Kafka', COLUMNS, expected, found);
    assert.deepEqual(left, {
      expected: expected.slice(1),
      actual: [...expected.slice(1), ['e', null, null]],
      erased: 1,
    });
  });

  test('a key of which only the tombstone is left is known by the row that bronze demands', () => {
    const compacted: Row[] = [['a', null, null], ...expected.slice(1)];
    const left = new ErasedUsers('shop', personal, [seven]).without('gold.a', 'Kafka', COLUMNS, expected, compacted);
    assert.deepEqual(left.actual, left.expected);
  });

  test('nothing of others: without a record, under another secret, of another application, in tables of nobody', () => {
    for (const [table, hashes] of [
      ['gold.a', []],
      ['gold.a', [hashOfUser('shop', '7', '')]],
      ['gold.a', [hashOfUser('other', '7', 's')]],
      ['gold.a', [hashOfUser('shop', '70', 's')]],
      ['gold.z', [seven]],
    ] as const) {
      const left = new ErasedUsers('shop', personal, hashes).without(table, 'Kafka', COLUMNS, expected, found);
      assert.deepEqual(left, { expected, actual: found, erased: 0 }, `${table} ${hashes.join()}`);
    }
  });

  test('a table of erased users only is right when nothing of theirs is in it; without an erasure two empty tables show nothing', () => {
    const empty = compareRows('gold.a', COLUMNS, ['_key'], [], []);
    const extra = compareRows('gold.a', COLUMNS, ['_key'], [], [['x', '1', '1']]);
    const result = { table: 'gold.a', place: 'Kafka', rows: empty, late: undefined, erased: 5 } as const;
    assert.ok(isRight(result, 5));
    assert.ok(!isRight(result, 6) && !isRight({ ...result, erased: 0 }, 0) && !isRight({ ...result, rows: extra }, 5));
    assert.match(report([result], 5), /ok, 5 of erased users left out$/);
  });

  test('what Kafka keeps is compared there, and left out in PostgreSQL', () => {
    const users = new ErasedUsers('shop', personal, [seven]);
    assert.equal(users.without('silver.b', 'Kafka', COLUMNS, expected, found).erased, 0);
    assert.equal(users.without('silver.b', 'PostgreSQL', COLUMNS, expected, expected.slice(1)).erased, 1);
  });
});
