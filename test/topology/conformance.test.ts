/** Under `stream-time` the engine prints what Kafka Streams 4.1 prints: every step's key, value, timestamp and order, and how many records are dropped. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TopologyTestDriver } from '#topology/testing';
import { caseStage, type CaseTopology, inputOf, outputOf, windowCases } from './conformance-windows.ts';
import { tableCases } from './conformance-tables.ts';
import { jsonSerdes } from './dsl/support.ts';

type Out = [key: string | null, value: string | null, timestamp: number];
interface Case {
  readonly id: string;
  readonly desc: string;
  readonly steps: readonly {
    readonly in: [topic: string, key: string | null, value: string | null, timestamp: number];
    readonly out: Readonly<Record<string, Out[]>>;
  }[];
  readonly dropped: number;
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, '../conformance/kafka-streams-4.1.json'), 'utf8'),
) as Case[];

const topologies: Readonly<Record<string, CaseTopology>> = { ...windowCases, ...tableCases };

/** Cases whose operators do not exist yet, by name: none of them may be forgotten, none may stay when it is built. */
const NOT_YET_BUILT: readonly string[] = [];

async function outputsSince(driver: TopologyTestDriver, topic: string, from: number): Promise<Out[]> {
  const all = await driver.output(outputOf(topic));
  return all
    .slice(from)
    .map(({ key, value, timestamp }) => [JSON.parse(String(key)) as string | null, value as string | null, timestamp]);
}

async function run({ steps, dropped }: Case, topology: CaseTopology, crash: boolean): Promise<void> {
  const driver = await TopologyTestDriver.create({
    stages: [caseStage(topology)],
    serdes: jsonSerdes,
    time: 'stream-time',
  });
  const read = new Map<string, number>();
  let lost = 0;
  for (const [i, { in: input, out }] of steps.entries()) {
    const [topic, key, value, timestamp] = input;
    await driver.pipeInput(inputOf(topic), { key, value, timestamp, partition: 0 });
    await driver.run();
    for (const [name, wanted] of Object.entries(out)) {
      const found = await outputsSince(driver, name, read.get(name) ?? 0);
      assert.deepEqual(found, wanted, `step ${i + 1}, ${JSON.stringify(input)}: ${name}`);
      read.set(name, (read.get(name) ?? 0) + found.length);
    }
    if (!crash) continue;
    const { late, dropped } = driver.counts();
    lost += late + dropped;
    driver.crash(0);
  }
  const counts = driver.counts();
  assert.equal(lost + counts.late + counts.dropped, dropped, 'dropped');
  assert.equal(counts.deadLetters, 0, 'dead letters');
}

describe('Kafka Streams 4.1', () => {
  for (const each of cases) {
    const topology = topologies[each.id];
    if (topology === undefined) continue;
    test(each.id, () => run(each, topology, false));
    test(`${each.id}, a crash after every record`, () => run(each, topology, true));
  }

  test('every case is run, or is known to be not yet built', (t) => {
    const built = cases.filter(({ id }) => topologies[id] !== undefined);
    t.diagnostic(`${built.length} of ${cases.length} cases, ${built.flatMap(({ steps }) => steps).length} steps`);
    const missing = cases.filter(({ id }) => topologies[id] === undefined).map(({ id }) => id);
    assert.deepEqual(missing, NOT_YET_BUILT);
  });

  test('a wrong value, timestamp, order or count is found', async () => {
    const [sound] = cases.filter(({ id }) => id === '03-hopping-out-of-order');
    assert.ok(sound !== undefined);
    const topology = topologies[sound.id];
    assert.ok(topology !== undefined);
    const spoiled = (spoil: (step: Case['steps'][number]) => void): Case => {
      const copy = structuredClone(sound);
      const step = copy.steps.find(({ out }) => (out['raw']?.length ?? 0) > 1);
      assert.ok(step !== undefined);
      spoil(step);
      return copy;
    };
    const wrong: Case[] = [
      spoiled(({ out }) => out['raw']?.reverse()),
      spoiled(({ out }) => out['raw']?.[0]?.splice(1, 1, 'x')),
      spoiled(({ out }) => out['raw']?.[0]?.splice(2, 1, 1)),
      { ...sound, dropped: 1 },
    ];
    for (const each of wrong) await assert.rejects(run(each, topology, false), assert.AssertionError);
  });
});
