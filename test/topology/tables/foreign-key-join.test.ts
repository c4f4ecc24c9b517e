/** The foreign-key join under stream-time, step by step, as Kafka Streams prints it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KTable, stage } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';

const left = origin<string>('left', 1);
const right = origin<string>('right', 1);
const inner = derived<string>('inner');
const outer = derived<string>('leftjoin');

const joins = stage('fk', (s) => {
  const a = s.table(left, { store: 'left', keeps: 'latest' });
  const b: KTable<string, string> = s.table(right, { store: 'right', keeps: 'latest' });
  const key = (value: string): string | null => (value === 'none' ? null : (value.split('|')[1] ?? null));
  const joiner = (value: string, row: string | null): string => `(${value},${row})`;
  a.foreignKeyJoin(b, key, joiner, { store: 'i', join: 'inner' }).toStream().to(inner);
  a.foreignKeyJoin(b, key, joiner, { store: 'l', join: 'left' }).toStream().to(outer);
});

type Step = readonly [
  side: 'left' | 'right',
  key: string,
  value: string | null,
  timestamp: number,
  inner: readonly (readonly [string, string | null, number])[],
  left: readonly (readonly [string, string | null, number])[],
];

const steps: readonly Step[] = [
  ['right', 'r1', 'one', 5, [], []],
  ['left', 'a', 'x|r1', 3, [['a', '(x|r1,one)', 5]], [['a', '(x|r1,one)', 5]]],
  ['left', 'b', 'y|r2', 6, [], [['b', '(y|r2,null)', 6]]],
  ['right', 'r2', 'two', 7, [['b', '(y|r2,two)', 7]], [['b', '(y|r2,two)', 7]]],
  // The row points elsewhere, where nothing is: the former result goes.
  ['left', 'a', 'x|r3', 8, [['a', null, 8]], [['a', '(x|r3,null)', 8]]],
  ['right', 'r1', 'uno', 9, [], []],
  ['left', 'a', 'z|r1', 10, [['a', '(z|r1,uno)', 10]], [['a', '(z|r1,uno)', 10]]],
  ['right', 'r1', null, 11, [['a', null, 11]], [['a', '(z|r1,null)', 11]]],
  ['right', 'r1', 'ein', 12, [['a', '(z|r1,ein)', 12]], [['a', '(z|r1,ein)', 12]]],
  ['left', 'a', 'none', 13, [['a', null, 13]], [['a', '(none,null)', 13]]],
  ['left', 'b', null, 14, [['b', null, 14]], [['b', null, 14]]],
  ['right', 'r2', 'zwei', 15, [], []],
];

for (const crash of [false, true]) {
  test(`inner and left, retractions and timestamps${crash ? ', a crash after every record' : ''}`, async () => {
    const driver = await TopologyTestDriver.create({ stages: [joins], serdes: jsonSerdes, time: 'stream-time' });
    const seen = new Map([inner, outer].map((topic) => [topic, 0]));
    for (const [side, key, value, timestamp, ...wanted] of steps) {
      await driver.pipeInput(side === 'left' ? left : right, { key, value, timestamp });
      await driver.run();
      for (const [i, topic] of [inner, outer].entries()) {
        const all = await driver.output(topic);
        const found = all.slice(seen.get(topic)).map((r) => [r.key, r.value, r.timestamp]);
        assert.deepEqual(found, wanted[i], `${topic.name} after ${side} ${key} ${value}`);
        seen.set(topic, all.length);
      }
      if (crash) driver.crash(0);
    }
  });
}
