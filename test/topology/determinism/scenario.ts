/** What a determinism run needs to know of a topology. */
import type { Pin, Stage } from '#topology';
import type { Fed } from '../runtime/random-topology.ts';

/** Rows `key value`, or as the scenario has them, and late records, sorted, by topic and by stage. */
export interface Expectation {
  readonly rows: Record<string, string[]>;
  readonly late: Record<string, string[]>;
}

/** A committed record as it lies in an output topic; `time` = its header sluice-time in hex. */
export interface Written {
  readonly key: string;
  readonly value: unknown;
  readonly timestamp: number;
  readonly time: string;
}

export interface Scenario {
  readonly name: string;
  readonly stages: readonly Stage[];
  readonly outputs: readonly { readonly name: string }[];
  /** Topics of updates: only the last value per key is promised. */
  readonly updated: ReadonlySet<string>;
  /** The definition, over the set of records and the pins. */
  expect(fed: Fed, pins: readonly Pin[]): Expectation;
  /** A record as `expect` writes it. */
  textOf(record: Written): string;
}
