import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { atLeast, between, checked, contract, matches, notNull, oneOf, rule, stage, topic } from '#topology';
import { driverOf, origin } from './support.ts';

interface Row {
  readonly amount: bigint | null;
  readonly rank: number;
  readonly name: string | null;
  readonly kind: string;
}
const rows = origin<Row | null>('rows');
const out = topic<Row>('out', { value: { name: 'out', definition: {} } });
const good: Row = { amount: 5n, rank: 1, name: 'a', kind: 'x' };
const promise = contract(out, {
  grain: 'one row per test',
  key: 'k',
  freshness: '1s',
  since: 'event',
  checks: [
    atLeast('amount', 0n),
    between('rank', 1, 10),
    notNull('name'),
    matches('name', /^[a-z]*$/, 'in lower case'),
    oneOf('kind', ['x', 'y']),
    rule('y is first', (row) => row.kind !== 'y' || row.rank === 1),
  ],
  example: good,
});
const guarded = stage('guarded', (s) => {
  s.stream(rows).pipe(checked(promise)).to(out);
});

describe('checked', () => {
  test('what keeps the contract passes, tombstones too; the rest is put aside with all that is wrong with it', async () => {
    const driver = await driverOf(guarded);
    const values: (Row | null)[] = [
      good,
      null,
      { ...good, amount: null, rank: 10, kind: 'x' },
      { ...good, amount: -1n },
      { ...good, rank: 0, name: null },
      { ...good, rank: 11, name: 'A', kind: 'z' },
      { ...good, rank: 2, kind: 'y' },
      good,
    ];
    for (const [i, value] of values.entries()) await driver.pipeInput(rows, { key: `k${i}`, value, timestamp: i });
    await driver.run();
    assert.deepEqual((await driver.output(out)).map(({ key }) => String(key)).toSorted(), ['k0', 'k1', 'k2', 'k7']);
    const letters = driver.deadLetters('guarded');
    assert.deepEqual(
      letters.map(({ code, reason }) => [code, reason]),
      [
        'out: amount is -1',
        'out: rank is 0; name is null',
        'out: rank is 11; name is "A", not in lower case; kind is "z"',
        'out: not so: y is first',
      ].map((reason) => ['SLC_RECORD_CONTRACT', reason]),
    );
  });

  test('what is no number is in no range', () => {
    assert.equal(between<Row>('rank', 1, 10).problem({ ...good, rank: NaN }), 'rank is NaN');
    assert.equal(atLeast<Row>('rank', 1).problem({ ...good, rank: NaN }), 'rank is NaN');
  });

  test('a freshness that is no duration is refused', () => {
    assert.throws(() => contract(out, { ...promise, freshness: 'soon' as '1s' }), { code: 'SLC_TOPOLOGY_DURATION' });
  });
});
