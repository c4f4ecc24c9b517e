/** One determinism run: live under chaos = one uninterrupted replay by its pins = the definition over the set of records and pins. */
import assert from 'node:assert/strict';
import { random } from '#topology/testing';
import { randomParts } from './divide.ts';
import type { Happened } from './happened.ts';
import { Installation } from './installation.ts';
import type { Scenario, Written } from './scenario.ts';
import { plan } from './workload.ts';
import type { World } from './world.ts';

/** What a run was like. */
export interface Case extends Happened {
  readonly records: number;
  readonly rows: number;
  /** Records of the log that a stage found late. */
  readonly late: number;
}

const WITHOUT_STAGE = /"stage":"[^"]*"/;

export interface CaseOptions {
  readonly seed: number;
  readonly records: number;
  readonly app?: string;
  /** Some of the stages run as applications of their own. */
  readonly divided?: boolean;
  /** Given the installation when it is made. */
  readonly made?: (installation: Installation) => void;
}

export async function runCase(
  world: World,
  scenario: Scenario,
  { seed, records, app, divided = false, made }: CaseOptions,
): Promise<Case> {
  const parts = divided ? randomParts(scenario.stages, random(seed + 2)) : {};
  const installation = new Installation(world, scenario, random(seed + 1), { app, parts });
  made?.(installation);
  const message = `SLUICE_SEED=${seed} (${scenario.name}${divided ? `, ${JSON.stringify(parts)}` : ''})`;
  const planned = plan(random(seed), records);
  await installation.open();
  for (const each of planned.records) await installation.step(each);
  await installation.settle(planned.end);
  const pins = await installation.pins();
  const { topicOf, stageOf } = await installation.replay();
  assert.deepEqual(installation.fatal, [], message);
  const wanted = scenario.expect(installation.fed, pins);
  let rows = 0;
  const late = new Set<string>();
  for (const { name } of scenario.outputs) {
    const live = standing(scenario, name, await installation.read(name));
    const replay = standing(scenario, name, await installation.read(topicOf(name)));
    assert.deepEqual(live.map((row) => scenario.textOf(row)).sort(), wanted.rows[name], `${message}: ${name}`);
    const isUpdated = scenario.updated.has(name);
    assert.deepEqual(textsOf(replay, isUpdated), textsOf(live, isUpdated), `${message}: ${name}, replay`);
    rows += live.length;
  }
  for (const { name } of scenario.stages) {
    const live = await installation.late(name);
    assert.deepEqual(live.map(lateText).sort(), wanted.late[name] ?? [], `${message}: ${name}.late`);
    const replay = await installation.late(stageOf(name));
    assert.deepEqual(fullLate(replay), fullLate(live), `${message}: ${name}.late, replay`);
    assert.equal(await installation.deadLetters(name), 0, `${message}: ${name}.dlq`);
    for (const { key, timestamp } of live) late.add(`${key} ${timestamp}`);
  }
  await installation.close();
  return { ...installation.happened, records, rows, late: late.size };
}

/** All rows; of updates what stands in the end. */
function standing({ updated }: Scenario, topic: string, rows: readonly Written[]): Written[] {
  if (!updated.has(topic)) return [...rows];
  return [...new Map(rows.map((row) => [row.key, row])).values()].filter(({ value }) => value !== null);
}

/** Of updates the last value per key is promised, not its time. */
function textsOf(rows: readonly Written[], isUpdated: boolean): string[] {
  return rows
    .map(({ key, value, timestamp, time }) =>
      JSON.stringify(isUpdated ? [key, value, timestamp] : [key, value, timestamp, time]),
    )
    .sort();
}

/** As the definitions write it. */
function lateText({ value }: Written): string {
  const { key, windowStart, timestamp } = value as { key: string; windowStart: number | null; timestamp: number };
  return `${key}${windowStart === null ? '' : `@${windowStart}`} ${timestamp}`;
}

const fullLate = (rows: readonly Written[]): string[] =>
  rows.map((row) => JSON.stringify(row).replace(WITHOUT_STAGE, '')).sort();
