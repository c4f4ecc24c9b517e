/** The topologies of determinism runs. Between them: every operator whose result could depend on a schedule. */
import { expect } from '../runtime/brute-force.ts';
import { outputs, stages } from '../runtime/random-topology.ts';
import { expectStreams } from '../runtime/stream-oracle.ts';
import { type Row, streamOutputs, streamStages, UPDATED } from '../runtime/stream-topology.ts';
import { ranked } from './ranked-topology.ts';
import type { Scenario } from './scenario.ts';

/** Windows after a repartition, a string that is folded in order, what is chained behind them, tables as of a time and what is chained behind those. */
const windowsAndTables: Scenario = {
  name: 'windows and tables',
  stages,
  outputs: Object.values(outputs),
  updated: new Set(['updates', 'totals']),
  expect,
  textOf: ({ key, value }) => `${key} ${JSON.stringify(value)}`,
};

/** Sessions, sliding windows, stream joins (left, outer), suppress, and windows over their results. */
const streams: Scenario = {
  name: 'sessions, sliding windows and joins',
  stages: streamStages,
  outputs: Object.values(streamOutputs),
  updated: UPDATED,
  expect: expectStreams,
  textOf: ({ value }) => `${(value as Row).key} ${(value as Row).text}`,
};

export const SCENARIOS: readonly Scenario[] = [windowsAndTables, streams, ranked];
