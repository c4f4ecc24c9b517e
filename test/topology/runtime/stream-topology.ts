/** Sessions, sliding windows, stream joins and suppress over the random logs of random-topology.ts, one stage each and chained. Times in ms. */
import {
  aggregate,
  count,
  keyBy,
  type KStream,
  mapValues,
  session,
  sliding,
  type Stage,
  stage,
  streamJoin,
  type Topic,
  tumbling,
  untilWindowCloses,
  windowedBy,
  type WindowKey,
} from '#topology';
import type { TopologyTestDriver } from '#topology/testing';
import { derived } from '../dsl/support.ts';
import { type Event, events, PARTITIONS, rates } from './random-topology.ts';

/** For the oracle. */
export const SESSION = { gap: 6, grace: 3 } as const;
export const SLIDING = { difference: 5, grace: 3 } as const;
export const LEFT = { before: 4, after: 6, grace: 3 } as const;
export const OUTER = { before: 7, after: 2, grace: 3 } as const;
export const PAIRS = { size: 3, grace: 0 } as const;
export const DAY = { size: 40, grace: 0 } as const;
export const CLOSED = { size: 12, grace: 4 } as const;

/** A result with its key in it, so that nothing hides behind equal keys. */
export interface Row {
  readonly key: string;
  readonly text: string;
}

const rowTopic = (name: string): Topic<string, Row> => derived<Row>(name, PARTITIONS);
export const streamOutputs = {
  sessions: rowTopic('sessions'),
  sessionCounts: rowTopic('session-counts'),
  sliding: rowTopic('sliding'),
  slidingCounts: rowTopic('sliding-counts'),
  left: rowTopic('left'),
  outer: rowTopic('outer'),
  pairs: rowTopic('pairs'),
  days: rowTopic('days'),
  closed: rowTopic('closed'),
  closedSessions: rowTopic('closed-sessions'),
} as const;
/** Topics of updates: only the last value per key is promised. */
export const UPDATED = new Set(['session-counts', 'sliding-counts']);

const ms = (n: number): `${number}ms` => `${n}ms`;
const byKey = keyBy<string, Event, string>((r) => r.value.key);

const list = (name: string) => ({
  init: (): string => '',
  add: (all: string, value: { readonly id?: string; readonly text?: string }): string =>
    `${all}+${value.id ?? value.text}`,
  options: { store: name },
});

/** Rows under a key that tells the window. */
function named(windows: KStream<WindowKey<string>, string | number | null>): KStream<string, Row> {
  return windows.pipe(
    mapValues((value, { key, start, end }) => (value === null ? null : { key, text: `${start}/${end}=${value}` })),
    keyBy((r) => `${r.key.key}@${r.key.start}/${r.key.end}`),
  ) as KStream<string, Row>;
}

const sessionWindows = session({ gap: ms(SESSION.gap), grace: ms(SESSION.grace) });
const slidingWindows = sliding({ difference: ms(SLIDING.difference), grace: ms(SLIDING.grace) });

const sessions = stage('sessions', (s) => {
  const { init, add, options } = list('sessions');
  const windows = s.stream(events).pipe(byKey, windowedBy(sessionWindows), aggregate(init, add, options));
  named(windows).to(streamOutputs.sessions);
});

const sessionCounts = stage('session-counts', (s) => {
  const table = s
    .stream(events)
    .pipe(byKey, windowedBy(sessionWindows), count({ store: 'session-counts', emit: 'updates' }));
  named(table.toStream()).to(streamOutputs.sessionCounts);
});

const slidingStage = stage('sliding', (s) => {
  const { init, add, options } = list('sliding');
  const windows = s.stream(events).pipe(byKey, windowedBy(slidingWindows), aggregate(init, add, options));
  named(windows).to(streamOutputs.sliding);
});

const slidingCounts = stage('sliding-counts', (s) => {
  const table = s
    .stream(events)
    .pipe(byKey, windowedBy(slidingWindows), count({ store: 'sliding-counts', emit: 'updates' }));
  named(table.toStream()).to(streamOutputs.slidingCounts);
});

const times = ({ before, after, grace }: typeof LEFT | typeof OUTER) =>
  ({ within: { before: ms(before), after: ms(after) }, grace: ms(grace) }) as const;
const pairOf = (l: Event | null, r: number | null, key: string): Row => ({ key, text: `${l?.id ?? null}&${r}` });

const left = stage('left', (s) => {
  const right = s.stream(rates).pipe(keyBy((r) => r.key));
  s.stream(events)
    .pipe(byKey, streamJoin(right, pairOf, { ...times(LEFT), store: 'left', join: 'left' }))
    .to(streamOutputs.left);
});

const outer = stage('outer', (s) => {
  const right = s.stream(rates).pipe(keyBy((r) => r.key));
  s.stream(events)
    .pipe(byKey, streamJoin(right, pairOf, { ...times(OUTER), store: 'outer', join: 'outer' }))
    .to(streamOutputs.outer);
});

/** Pairs of another stage, read without a repartition. */
const pairs = stage('pairs', (s) => {
  const { init, add, options } = list('pairs');
  const windows = tumbling({ size: ms(PAIRS.size), grace: ms(PAIRS.grace) });
  named(s.stream(streamOutputs.left).pipe(windowedBy(windows), aggregate(init, add, options))).to(streamOutputs.pairs);
});

/** Sessions of all keys, in windows of another alignment: none of them may be late. */
const days = stage('days', (s) => {
  const { init, add, options } = list('days');
  const windows = tumbling({ size: ms(DAY.size), grace: ms(DAY.grace) });
  const all = s.stream(streamOutputs.sessions).pipe(
    keyBy(() => 'all'),
    windowedBy(windows),
    aggregate(init, add, options),
  );
  named(all).to(streamOutputs.days);
});

const closed = stage('closed', (s) => {
  const windows = tumbling({ size: ms(CLOSED.size), grace: ms(CLOSED.grace) });
  const table = s.stream(events).pipe(byKey, windowedBy(windows), count({ store: 'open', emit: 'updates' }));
  named(table.suppress({ store: 'closed', until: untilWindowCloses() }).toStream()).to(streamOutputs.closed);
});

const closedSessions = stage('closed-sessions', (s) => {
  const table = s
    .stream(events)
    .pipe(byKey, windowedBy(sessionWindows), count({ store: 'open-sessions', emit: 'updates' }));
  named(table.suppress({ store: 'closed-sessions', until: untilWindowCloses() }).toStream()).to(
    streamOutputs.closedSessions,
  );
});

export const streamStages: readonly Stage[] = [
  sessions,
  sessionCounts,
  slidingStage,
  slidingCounts,
  left,
  outer,
  pairs,
  days,
  closed,
  closedSessions,
];

/** Rows `key text` of an output, sorted; of updates the last per key. */
export async function streamRows(driver: TopologyTestDriver, topic: Topic<string, Row>): Promise<string[]> {
  const text = (value: unknown): string => `${(value as Row).key} ${(value as Row).text}`;
  if (UPDATED.has(topic.name)) return [...(await driver.table(topic)).values()].map(text).sort();
  return (await driver.output(topic)).map(({ value }) => text(value)).sort();
}
