/** A dashboard whose parts say what the test tells them. */
import type { GoldTableNow, Probe, SinkNow, StreamsNow, TopologyNow } from '../../dashboard/index.ts';

/** A probe that gives what was put into it, or fails. */
export class FakeProbe<T> implements Probe<T> {
  readonly name: string;
  readonly everyMs = 50;
  readonly timeoutMs = 300;
  answer: T | Error | 'hangs';
  asked = 0;
  resets = 0;

  constructor(name: string, answer: T | Error | 'hangs') {
    this.name = name;
    this.answer = answer;
  }

  read(): Promise<T> {
    this.asked++;
    if (this.answer === 'hangs') return new Promise(() => undefined);
    return this.answer instanceof Error ? Promise.reject(this.answer) : Promise.resolve(this.answer);
  }

  reset(): void {
    this.resets++;
  }
}

/** What somebody might call a thing to see what a page makes of it. */
export const HOSTILE = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">`;

export const topology: TopologyNow = {
  app: 'shop',
  sources: [
    { topic: 'bronze.app.views', tier: 'bronze' },
    { topic: 'bronze.app.signups', tier: 'bronze' },
    { topic: `bronze.${HOSTILE}`, tier: 'bronze' },
  ],
  stages: [
    stageOf('silver.views', ['bronze.app.views']),
    stageOf('silver.rich', ['silver.views', 'bronze.app.signups']),
    stageOf('gold.hourly', ['silver.rich']),
    stageOf('gold.signups', ['bronze.app.signups', `bronze.${HOSTILE}`]),
  ],
  sinks: [
    { name: 'warehouse', reads: ['gold.hourly', 'gold.signups'] },
    { name: 'lake', reads: ['bronze.app.views', 'silver.views'] },
  ],
};

function stageOf(name: string, reads: readonly string[]): TopologyNow['stages'][number] {
  return { name, tier: name.split('.')[0] ?? null, reads, writes: [name], tasks: 6, stores: 1 };
}

/** Figures for all of it; `rate` is that of every topic. */
export function streams(rate: number, now = Date.now()): StreamsNow {
  const names = [...topology.sources.map(({ topic }) => topic), ...topology.stages.map(({ name }) => name)];
  return {
    newestClock: now,
    topics: names.map((name) => ({ name, tier: name.split('.')[0] ?? null, perSecond: rate, newest: now })),
    stages: topology.stages.map(({ name }) => ({
      name,
      inPerSecond: rate,
      outPerSecond: rate,
      behind: 12,
      watermark: now - 5_000,
      lagMs: 5_000,
      heldBackBy: {
        writer: 'collector',
        topic: 'bronze.app.views',
        partition: 3,
        reason: 'silent for 12 s',
        chain: ['silver.views/3'],
      },
    })),
    writers: [{ name: 'collector', at: now }],
    workers: { members: 2, slots: 6 },
    putAside: [put('late', 'gold.hourly', 'window closed', 4), put('dead', `bronze.${HOSTILE}`, HOSTILE, 7)],
    counted: true,
  };
}

function put(kind: 'late' | 'dead', stage: string, reason: string, count: number): StreamsNow['putAside'][number] {
  const topic = `${stage}.${kind === 'late' ? 'late' : 'dlq'}`;
  return { kind, topic, stage, reason, count, newest: Date.now(), example: `${topic}-0@1`, detail: HOSTILE };
}

export const sinks: readonly SinkNow[] = [
  { name: 'warehouse', behind: 3, members: 1, problem: null },
  { name: 'lake', behind: 0, members: 1, problem: null },
];

export const gold: readonly GoldTableNow[] = [
  {
    name: 'gold.hourly',
    about: 'Views per hour',
    rows: 1_234,
    columns: [
      { name: 'title', kind: 'text' },
      { name: 'views', kind: 'number' },
    ],
    newest: [
      [HOSTILE, '12'],
      [null, '7'],
    ],
    chart: { kind: 'bars', title: 'Views', unit: '', bars: [{ label: HOSTILE, value: 12 }] },
    problem: null,
  },
  {
    name: 'gold.signups',
    about: 'Signups per hour',
    rows: 2,
    columns: [{ name: 'country', kind: 'text' }],
    newest: [['NL']],
    chart: {
      kind: 'series',
      title: 'Signups',
      unit: '',
      times: [0, 3_600_000],
      series: [
        { label: HOSTILE, values: [1, 2] },
        { label: 'mail', values: [0, 5] },
      ],
    },
    problem: null,
  },
];
