import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildTopology,
  comparedTopics,
  count,
  keyBy,
  type ReplayPlan,
  replayTopology,
  session,
  stage,
  tumbling,
  windowedBy,
} from '#topology';
import { derived, MINUTE, origin } from '../dsl/support.ts';

const events = origin<number>('events');
const [visits, perUser, perHour] = [
  derived<number>('visits'),
  derived<number>('per-user'),
  derived<number>('per-hour'),
];

const stages = [
  stage('visits', (s) => {
    s.stream(events)
      .pipe(
        windowedBy(session({ gap: '30m', grace: '5m' })),
        count({ store: 'visits' }),
        keyBy((r) => r.key.key),
      )
      .to(visits);
  }),
  stage('per-user', (s) => {
    s.stream(visits)
      .pipe(count({ store: 'per-user' }))
      .toStream()
      .to(perUser);
  }),
  stage('per-hour', (s) => {
    s.stream(visits)
      .pipe(windowedBy(tumbling({ size: '1h', grace: '5m' })), count({ store: 'per-hour', emit: 'updates' }))
      .toStream()
      .pipe(keyBy((r) => r.key.key))
      .to(perHour);
  }),
];

test('a row of a table without windows is never final, though it carries the coordinate of a session that is', () => {
  const live = buildTopology(stages, { app: 'app' });
  const replay = replayTopology(live, { id: 'v2', stages: 'all' });
  const plan = { id: 'v2', stages: ['visits', 'per-user', 'per-hour'], inputs: [] } as unknown as ReplayPlan;
  assert.deepEqual(
    comparedTopics(live, replay, plan).map(({ topic, kind, closeDelayMs }) => [topic, kind, closeDelayMs]),
    [
      ['visits', 'records', 35 * MINUTE + 1],
      ['per-user', 'table', Infinity],
      ['per-hour', 'table', 5 * MINUTE],
    ],
  );
});
