/** What a topic promises to whoever reads it, as data: rendered for people, checked on every record by `checked`. */
import { parseDuration, type Duration } from '../duration.ts';

/** A promise about single rows. */
export interface Check<V> {
  /** As people read it: 'orders is at least 1'. */
  readonly rule: string;
  /** What is wrong with a row; undefined: nothing. */
  problem(row: V): string | undefined;
}

/** What a contract consists of. */
export interface ContractParts<V> {
  /** What one row is: 'one row per item and day'. */
  readonly grain: string;
  /** What the record key is made of: 'windowStart|itemId'. Of two rows with the same key the later one holds. */
  readonly key: string;
  /** How old what a row tells may be when it can be read: target for the 99th percentile. */
  readonly freshness: Duration;
  /** What that age is counted from. */
  readonly since: 'event' | 'window end';
  readonly checks: readonly Check<V>[];
  /** A row that keeps all of it. */
  readonly example: V;
}

/** A topic's contract. */
export interface Contract<V> extends ContractParts<V> {
  readonly topic: string;
}

/** The contract of a topic. TopologyError SLC_TOPOLOGY_DURATION for a freshness that is none. */
export function contract<V extends object>(
  topic: { readonly name: string; readonly value: { readonly type?: V } },
  parts: ContractParts<V>,
): Contract<V> {
  parseDuration(parts.freshness);
  return { topic: topic.name, ...parts };
}

type Column<V, T> = { [C in keyof V]: V[C] extends T ? C : never }[keyof V] & string;

/** The column is there. */
export function notNull<V>(column: keyof V & string): Check<V> {
  return {
    rule: `${column} is not null`,
    problem: (row) => (row[column] === null || row[column] === undefined ? `${column} is null` : undefined),
  };
}

/** A number (or a decimal, by its unscaled value) of at least `least`; null passes. */
export function atLeast<V>(column: Column<V, number | bigint | null>, least: number | bigint): Check<V> {
  return {
    rule: `${column} is at least ${least}`,
    problem: (row) => {
      const value = row[column] as number | bigint | null;
      return value !== null && !(value >= least) ? `${column} is ${value}` : undefined;
    },
  };
}

/** A number (or a decimal, by its unscaled value) in a range, both ends included; null passes. */
export function between<V>(
  column: Column<V, number | bigint | null>,
  least: number | bigint,
  most: number | bigint,
): Check<V> {
  return {
    rule: `${column} is from ${least} to ${most}`,
    problem: (row) => {
      const value = row[column] as number | bigint | null;
      return value !== null && !(value >= least && value <= most) ? `${column} is ${value}` : undefined;
    },
  };
}

/** Text of a form, as `what` calls it; null passes. */
export function matches<V>(column: Column<V, string | null>, form: RegExp, what: string): Check<V> {
  return {
    rule: `${column} is ${what}`,
    problem: (row) => {
      const value = row[column] as string | null;
      return value !== null && !form.test(value) ? `${column} is ${JSON.stringify(value)}, not ${what}` : undefined;
    },
  };
}

/** One of a few values; null passes. */
export function oneOf<V>(column: Column<V, string | null>, values: readonly string[]): Check<V> {
  const known = new Set(values);
  return {
    rule: `${column} is one of ${values.join(', ')}`,
    problem: (row) => {
      const value = row[column] as string | null;
      return value !== null && !known.has(value) ? `${column} is ${JSON.stringify(value)}` : undefined;
    },
  };
}

/** Something about the row as a whole. */
export function rule<V>(text: string, holds: (row: V) => boolean): Check<V> {
  return { rule: text, problem: (row) => (holds(row) ? undefined : `not so: ${text}`) };
}
