/** docs/METRICS.md has a row for every metric, with its type and labels, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { SinkStats, StageStats, StreamApp } from '#topology';
import { dashboardMetrics, sinkMetrics, sourceMetrics, stageMetrics } from '../../bin/role-metrics.ts';
import type { Metric } from '../../connectors/prometheus/index.ts';
import { ProcessMetrics } from '../../connectors/prometheus/process-metrics.ts';

const stage: StageStats = {
  name: 'gold.a',
  records: 1,
  written: 1,
  late: 1,
  deadLetters: 1,
  dropped: 1,
  stateEntries: 1,
  stores: [
    { store: 'a', entries: 1, bytes: 50 },
    { store: 'b', entries: 1, bytes: null },
  ],
  watermark: 1,
  lagMs: 1,
  heldBackBy: 'collector',
};
const app: ReturnType<StreamApp['stats']> = {
  stages: [stage],
  slots: [0],
  restored: 0,
  commits: 1,
  commitMs: { bounds: [1], counts: [1, 0], sum: 1 },
  restoring: { total: 0, done: 0, perSecond: 0, etaMs: 0 },
  state: { usedBytes: 1, budgetBytes: 2 },
  standbys: [{ slot: 1, lag: 0, entries: 1, bytes: 50 }],
  globalTables: [{ store: 'g', topic: 't', entries: 1, lag: 0, dropped: 0 }],
  waits: [{ topic: 'a', partition: 1, waitsFor: 0, aheadMs: 1_000 }],
  ready: true,
};
const sink: SinkStats = {
  name: 'warehouse',
  rows: 1,
  lagRecords: 1,
  lagMs: 1_500,
  partitions: 1,
  waitingFor: undefined,
};
const cdc = {
  records: 1,
  snapshotDone: true,
  lagMs: 0,
  position: { file: 'bin.000001', pos: 4 },
  hints: 24,
  waitingFor: undefined,
};
const collector = { accepted: { pageview: 1 }, rejected: 0, hints: 6, answered: { 200: 1 }, waitingFor: undefined };

/** What all roles tell when everything that can be known is. */
function told(): Metric[] {
  const own = new ProcessMetrics();
  try {
    return [
      ...stageMetrics(app),
      ...sinkMetrics([sink]),
      ...sourceMetrics({ cdc, collector, ended: new Map() }),
      ...dashboardMetrics([{ name: 'Kafka', state: 'up', detail: null, since: 0 }], { open: 1, dropped: 0 }),
      ...own.read(),
    ];
  } finally {
    own.close();
  }
}

const rowOf = ({ name, type, samples }: Metric): string => {
  const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels ?? {})));
  return [name, type, [...labels].join(', ')].join(' | ');
};

/** `name | type | labels` of each row of the table. */
function documented(markdown: string): string[] {
  return [...markdown.matchAll(/^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| .*\S.* \|$/gm)].map(
    ([, name = '', type = '', labels = '']) => [name, type, labels.trim()].join(' | '),
  );
}

describe('docs/METRICS.md', () => {
  const markdown = readFileSync(join(import.meta.dirname, '../../docs/METRICS.md'), 'utf8');

  test('has every metric with its type and labels, and no other', () => {
    const metrics = told();
    assert.ok(metrics.length > 30);
    for (const { name, samples } of metrics) assert.ok(samples.length > 0, `${name} has no sample`);
    assert.deepEqual(documented(markdown).toSorted(), metrics.map(rowOf).toSorted());
  });

  test('both kinds of difference are found', () => {
    const one: Metric = {
      name: 'a_total',
      help: 'A.',
      type: 'counter',
      samples: [{ labels: { x: 1, y: 2 }, value: 3 }],
    };
    assert.deepEqual(documented('| `a_total` | counter | x, y | what |\n'), [rowOf(one)]);
    assert.notDeepEqual(documented('| `a_total` | gauge | x, y | what |\n'), [rowOf(one)]);
    assert.deepEqual(documented('| `a_total` | counter | x, y | |\n'), []);
  });

  test('names say their unit', () => {
    for (const { name, type } of told()) assert.equal(name.endsWith('_total'), type === 'counter', name);
  });
});
