/**
 * Further facts about Kafka Streams under `stream-time`: what goes in and what comes out in its own tests (KStreamSlidingWindowAggregateTest,
 * KStreamKStreamOuterJoinTest), beside the tables of conformance.test.ts.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { filter } from 'rxjs';
import {
  aggregate,
  count,
  keyBy,
  reduce,
  sliding,
  streamJoin,
  type StreamJoinOptions,
  tumbling,
  windowedBy,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { caseStage, type CaseTopology, inputOf, outputOf } from './conformance-windows.ts';
import { jsonSerdes } from './dsl/support.ts';

/** Feeds `topic key value timestamp` line by line, a crash after each if asked; gives what came out: `key value timestamp`. */
async function outputs(topology: CaseTopology, lines: readonly string[], crash: boolean): Promise<string[]> {
  const stages = [caseStage(topology)];
  const driver = await TopologyTestDriver.create({ stages, serdes: jsonSerdes, time: 'stream-time' });
  for (const line of lines) {
    const [topic = '', key = '', value = '', timestamp] = line.split(' ');
    await driver.pipeInput(inputOf(topic), { key, value, timestamp: Number(timestamp), partition: 0 });
    await driver.run();
    if (crash) driver.crash(0);
  }
  const rows = await driver.output(outputOf('out'));
  return rows.map((r) => `${JSON.parse(String(r.key)) as string} ${String(r.value)} ${r.timestamp}`);
}

const append = (all: string, value: string): string => `${all}+${value}`;

describe('sliding windows of 10 ms, grace 5 ms', () => {
  const windows = sliding({ difference: '10ms', grace: '5ms' });
  const input = ['A 1 10', 'A 2 10', 'A 3 14', 'A 4 15', 'A 5 20', 'A 6 22', 'A 7 30'].map((line) => `in ${line}`);
  const finals = [
    '[A@0/10] 0+1+2 10',
    '[A@4/14] 0+1+2+3 14',
    '[A@5/15] 0+1+2+3+4 15',
    '[A@10/20] 0+1+2+3+4+5 20',
    '[A@11/21] 0+3+4+5 20',
    '[A@12/22] 0+3+4+5+6 22',
  ];
  const updates = [
    ['[A@0/10] 0+1 10', '[A@0/10] 0+1+2 10'],
    ['[A@4/14] 0+1+2+3 14', '[A@5/15] 0+1+2+3+4 15', '[A@10/20] 0+1+2+3+4+5 20'],
    ['[A@11/21] 0+3 14', '[A@11/21] 0+3+4 15', '[A@11/21] 0+3+4+5 20', '[A@12/22] 0+3+4+5+6 22'],
    ['[A@15/25] 0+4 15', '[A@15/25] 0+4+5 20', '[A@15/25] 0+4+5+6 22'],
    ['[A@16/26] 0+5 20', '[A@16/26] 0+5+6 22', '[A@20/30] 0+5+6+7 30'],
    ['[A@21/31] 0+6 22', '[A@21/31] 0+6+7 30', '[A@23/33] 0+7 30'],
  ].flat();

  for (const crash of [false, true]) {
    test(`every update${crash ? ', with crashes' : ''}`, async () => {
      const topology: CaseTopology = (s, { in: from, out }) => {
        const table = s.stream(from('in')).pipe(
          windowedBy(windows),
          aggregate(() => '0', append, { store: 'agg', emit: 'updates' }),
        );
        out('out', table.toStream());
      };
      assert.deepEqual((await outputs(topology, input, crash)).sort(), updates.toSorted());
    });

    test(`finals${crash ? ', with crashes' : ''}`, async () => {
      const topology: CaseTopology = (s, { in: from, out }) =>
        out(
          'out',
          s.stream(from('in')).pipe(
            windowedBy(windows),
            aggregate(() => '0', append, { store: 'agg' }),
          ),
        );
      assert.deepEqual(await outputs(topology, input, crash), finals);
    });
  }

  test('reduce', async () => {
    const topology: CaseTopology = (s, { in: from, out }) =>
      out(
        'out',
        s.stream(from('in')).pipe(
          windowedBy(windows),
          reduce((a, b) => append(a, b), { store: 'reduce' }),
        ),
      );
    const lines = ['A 1 10', 'A 2 14', 'A 3 15', 'A 4 22', 'A 5 26', 'A 6 30'].map((line) => `in ${line}`);
    assert.deepEqual(await outputs(topology, lines, false), [
      '[A@0/10] 1 10',
      '[A@4/14] 1+2 14',
      '[A@5/15] 1+2+3 15',
      '[A@11/21] 2+3 15',
      '[A@12/22] 2+3+4 22',
    ]);
  });

  test('finals of several keys, out of order and late, grace 10 ms', async () => {
    const wider = sliding({ difference: '10ms', grace: '10ms' });
    const topology: CaseTopology = (s, { in: from, out }) =>
      out(
        'out',
        s.stream(from('in')).pipe(
          windowedBy(wider),
          aggregate(() => '0', append, { store: 'agg' }),
        ),
      );
    const records =
      'A 1 10,A 2 20,A 3 22,A 4 15,B 1 12,B 2 13,B 3 18,B 4 19,B 5 25,B 6 14,C 1 11,C 2 15,C 3 16,C 4 21,C 5 23,D 4 11,D 2 12,D 3 29,D 5 16';
    const lines = records.split(',').map((line) => `in ${line}`);
    const wanted = [
      '[A@0/10] 0+1 10',
      '[A@5/15] 0+1+4 15',
      '[B@2/12] 0+1 12',
      '[B@3/13] 0+1+2 13',
      '[B@8/18] 0+1+2+3+6 18',
      '[C@5/15] 0+2 15',
      '[C@6/16] 0+2+3 16',
    ];
    for (const crash of [false, true]) assert.deepEqual((await outputs(topology, lines, crash)).sort(), wanted);
  });
});

describe('behind a repartition', () => {
  test('what was filtered out before it moves no clock; another key of its partition does', async () => {
    const topology: CaseTopology = (s, { in: from, out }) => {
      const table = s.stream(from('in')).pipe(
        filter((r) => r.value !== 'skip'),
        keyBy((r) => r.value),
        windowedBy(tumbling({ size: '10ms', grace: '0ms' })),
        count({ store: 'counts', emit: 'updates' }),
      );
      out('out', table.toStream());
    };
    const lines = ['in k a 1', 'in k skip 50', 'in k a 2', 'in k b 12', 'in k a 3', 'in k a 10'];
    for (const crash of [false, true]) {
      assert.deepEqual(await outputs(topology, lines, crash), [
        '[a@0/10] 1 1',
        '[a@0/10] 2 2',
        '[b@10/20] 1 12',
        '[a@10/20] 1 10',
      ]);
    }
  });
});

describe('outer joins', () => {
  const join =
    (times: Pick<StreamJoinOptions, 'within' | 'grace'>): CaseTopology =>
    (s, { in: from, out }) =>
      out(
        'out',
        s
          .stream(from('l'))
          .pipe(streamJoin(s.stream(from('r')), (l, r) => `${l}+${r}`, { ...times, store: 'join', join: 'outer' })),
      );
  const facts: readonly (readonly [string, CaseTopology, readonly string[], readonly string[]])[] = [
    [
      'duplicates leave all of them, the right side first',
      join({ within: '100ms', grace: '10ms' }),
      ['l 0 A0 0', 'l 0 A0-0 0', 'r 1 11 0', 'r 1 12 0', 'r 1 10 111', 'r 3 100 211'],
      ['1 null+11 0', '1 null+12 0', '0 A0+null 0', '0 A0-0+null 0'],
    ],
    [
      'duplicates are joined each with each',
      join({ within: '100ms', grace: '10ms' }),
      ['r 1 10 111', 'r 3 100 211', 'l 2 A2 200', 'l 2 A2-0 200', 'r 2 13 201', 'r 2 14 201', 'r 3 100 1500'],
      ['2 A2+13 201', '2 A2-0+13 201', '2 A2+14 201', '2 A2-0+14 201', '1 null+10 111', '3 null+100 211'],
    ],
    [
      'who is left alone leaves before the pair of the record that moves the time',
      join({ within: '100ms', grace: '0ms' }),
      ['l 0 A0 0', 'l 1 A1 100', 'r 1 11 110'],
      ['0 A0+null 0', '1 A1+11 110'],
    ],
    [
      'the grace is waited for',
      join({ within: '100ms', grace: '10ms' }),
      ['l 0 A0 0', 'r 1 11 0', 'l 1 A1 101', 'r 0 10 101', 'r 0 100 112'],
      ['1 null+11 0', '0 A0+null 0'],
    ],
    ...(['l', 'r'] as const).map(
      (side) =>
        [
          `left ones alone, by a record of side ${side}`,
          join({ within: '100ms', grace: '0ms' }),
          ['l 0 A0 1', 'l 1 A1 2', 'l 0 A0-0 3', 'r 1 11 3', `${side} 2 dummy 401`],
          ['1 A1+11 3', '0 A0+null 1', '0 A0-0+null 3'],
        ] as const,
    ),
    ...(['l', 'r'] as const).map(
      (side) =>
        [
          `right ones alone, by a record of side ${side}`,
          join({ within: '100ms', grace: '0ms' }),
          ['r 0 10 1', 'r 1 11 2', 'r 0 12 3', 'l 1 A1 3', `${side} 2 dummy 401`],
          ['1 A1+11 3', '0 null+10 1', '0 null+12 3'],
        ] as const,
    ),
    [
      'each side has its own reach',
      join({ within: { before: '5ms', after: '20ms' }, grace: '0ms' }),
      ['l 0 A0 29', 'l 1 A1 30', 'r 2 12 31', 'r 3 13 36', 'r 4 14 37', 'r 5 15 50'],
      ['2 null+12 31', '0 A0+null 29', '3 null+13 36', '4 null+14 37'],
    ],
  ];
  for (const [name, topology, lines, wanted] of facts) {
    test(name, async () => {
      for (const crash of [false, true]) assert.deepEqual(await outputs(topology, lines, crash), wanted);
    });
  }
});
