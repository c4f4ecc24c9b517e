/** The rows of tables, asked for in process; and what may read updates. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildTopology, count, keyBy, stage, toTable } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';

const input = origin<number>('in', 3);
const out = derived<number>('out', 3);
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

const tables = stage('tables', (s) => {
  const table = s.stream(input).pipe(toTable({ store: 'rows' }));
  table.filter((n) => n > 1, { store: 'large' });
  const parity = table.groupBy((n) => n % 2).count({ store: 'parity' });
  parity
    .toStream()
    .pipe(keyBy((r) => `${r.key}`))
    .to(out);
  s.stream(input).pipe(count({ store: 'counts' }));
});

test('every table with a store can be asked, over all partitions', async () => {
  const driver = await TopologyTestDriver.create({ stages: [tables], serdes: jsonSerdes });
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
    ['a', 4],
    ['b', null],
  ] as const)
    await driver.pipeInput(input, { key, value, timestamp: 10 });
  await driver.run();
  const all = (store: string): unknown[] =>
    [...driver.rows(store).entries()].map(([key, row]) => `${String(key)} ${String(row.value)}`).sort();
  assert.deepEqual(all('rows'), ['a 4', 'c 3']);
  assert.deepEqual(all('large'), ['a 4', 'c 3']);
  assert.deepEqual(all('parity'), ['0 1', '1 1']);
  assert.deepEqual(driver.rows('counts').get('a'), { value: 2, timestamp: 10 });
  assert.equal(driver.rows('rows').get('b'), undefined);
  assert.throws(() => driver.rows('parity-rows'), codeOf('SLC_TOPOLOGY_NO_STORE'));
});

test('updates are refused where records are counted', () => {
  const counted = stage('counted', (s) => {
    s.stream(input)
      .pipe(count({ store: 'n' }))
      .toStream()
      .pipe(count({ store: 'changes' }));
  });
  assert.throws(() => buildTopology([counted], { app: 'a' }), codeOf('SLC_TOPOLOGY_UPDATES'));
});
