/** The topology of the specification: every rule has a stage whose output changes without it. */
import { asOfJoin, streamJoin } from './joins.ts';
import { countOf, P, Q, textOf } from './model.ts';
import { type AnyOperator, dedupe, route, sessions, sliding, windowed } from './operators.ts';

/** The output topic has the stage's name; `keyed` = repartitioned by key. */
export interface Stage {
  readonly name: string;
  readonly in: readonly string[];
  readonly n: number;
  readonly op: AnyOperator;
  readonly keyed?: boolean;
}

export const STAGES: readonly Stage[] = [
  { name: 'r.clicks', in: ['clicks'], n: P, op: route((r) => r.key), keyed: true },
  { name: 'r.orders', in: ['orders'], n: P, op: route((r) => r.key), keyed: true },
  { name: 'r.users', in: ['users'], n: P, op: route((r) => r.key), keyed: true },
  { name: 'hourly', in: ['r.clicks'], n: Q, op: windowed(12, 4, 3, textOf) }, // hopping, its fold depends on the order
  { name: 'r.hourly', in: ['hourly'], n: Q, op: route((r) => `k${r.ts % 3}`), keyed: true },
  { name: 'daily', in: ['r.hourly'], n: Q, op: windowed(10, 10, 0, countOf) }, // chained, grace 0, aligned otherwise than the first
  { name: 'sessions', in: ['r.clicks'], n: Q, op: sessions(6, 3) },
  { name: 'slide', in: ['r.clicks'], n: Q, op: sliding(5, 3) },
  { name: 'dedup', in: ['r.clicks'], n: Q, op: dedupe(5, 3) },
  { name: 'd.agg', in: ['dedup'], n: Q, op: windowed(10, 10, 0, textOf) },
  { name: 'joined', in: ['r.clicks', 'r.orders'], n: Q, op: streamJoin(4, 6, 3) },
  { name: 'j.agg', in: ['joined'], n: Q, op: windowed(10, 10, 1, textOf) },
  { name: 'asof', in: ['r.orders', 'r.users'], n: Q, op: asOfJoin(4, 2) },
  { name: 'a.agg', in: ['asof'], n: Q, op: windowed(10, 10, 1, textOf) },
  { name: 'outer', in: ['r.clicks', 'r.orders'], n: Q, op: streamJoin(7, 2, 3, true) },
  { name: 'o.agg', in: ['outer'], n: Q, op: windowed(10, 10, 0, textOf) },
  { name: 'c.raw', in: ['clicks'], n: P, op: windowed(8, 8, 1, textOf) }, // a second reader of clicks: the slot has one position there
  { name: 'asof.raw', in: ['orders', 'users'], n: P, op: asOfJoin(4, 2) }, // a second reader of orders and of users
];

/** Live, this task, c.raw/2 and their partition come into being in mid-run. */
export const ADDED = 'r.clicks/2';

export const WRITERS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  STAGES.map((stage) => [stage.name, Array.from({ length: stage.n }, (_, q) => `${stage.name}/${q}`)]),
);

/** Stages whose output log must be equal in ORDER too: one writer per partition, all output released by the watermark. */
export const ORDERED: ReadonlySet<string> = new Set([
  'hourly',
  'daily',
  'sessions',
  'slide',
  'dedup',
  'd.agg',
  'j.agg',
  'a.agg',
  'o.agg',
  'c.raw',
]);

/** Stages with grace 0 behind one that waits: complete results are never late, so they find none. */
export const isBehindFinals = (late: string): boolean => /^(daily|d\.agg) /.test(late);
