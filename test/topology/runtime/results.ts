/** The results of random-topology.ts as sorted text. */
import type { Topic } from '#topology';
import type { TopologyTestDriver } from '#topology/testing';
import type { outputs } from './random-topology.ts';

type Output = (typeof outputs)[keyof typeof outputs];

/** Topics of updates: only the last value per key is promised. */
const UPDATES = new Set(['updates', 'totals']);

/** Rows `key value` of an output. */
export async function rowsOf(driver: TopologyTestDriver, topic: Output): Promise<string[]> {
  const text = (key: unknown, value: unknown): string => `${String(key)} ${JSON.stringify(value)}`;
  if (UPDATES.has(topic.name))
    return [...(await driver.table(topic as Topic<string, unknown>))].map(([key, value]) => text(key, value)).sort();
  return (await driver.output(topic as Topic<string, unknown>)).map(({ key, value }) => text(key, value)).sort();
}

/** What a stage found late: key, window if any, timestamp. */
export function lateOf(driver: TopologyTestDriver, stage: string): string[] {
  return driver
    .late(stage)
    .map(({ key, windowStart, timestamp }) => `${key}${windowStart === null ? '' : `@${windowStart}`} ${timestamp}`)
    .sort();
}
