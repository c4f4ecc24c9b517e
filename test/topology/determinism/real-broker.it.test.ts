/** As determinism.test.ts, on a real broker: instances in this process that are killed by silence, and go on as ones that do not know. SLUICE_SEED repeats. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { pino } from 'pino';
import { createKafkaClient, type KafkaClient, systemClock } from '#topology';
import type { Told } from './determinism-child.ts';
import type { Installation } from './installation.ts';
import { PrefixedClient } from './prefixed-client.ts';
import { runCase } from './run-case.ts';
import { judge } from './run-cases.ts';
import { SCENARIOS } from './scenarios.ts';
import type { World } from './world.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const CASES = 20;
const AT_ONCE = 4;
const RECORDS = 200;
/** A run takes half a minute. */
const RUN_MS = 150_000;
/** On a machine that is busy with other things no run begins after that; how many there were is said. */
const BEGIN_MS = 420_000;
const FEWEST = 10;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const logger = pino({ level: 'silent' });
const clients: KafkaClient[] = [];

function connect(): KafkaClient {
  const client = createKafkaClient({ brokers: (brokers ?? '').split(','), clientId: 'determinism', logger });
  clients.push(client);
  return client;
}

/** Names of its own for each run; its topics go with it. */
async function inWorld<T>(work: (world: World) => Promise<T>): Promise<T> {
  const prefix = `d${randomUUID().slice(0, 8)}-`;
  const world: World = {
    clock: systemClock,
    client: () => new PrefixedClient(connect(), prefix),
    until: (promise) => promise,
  };
  try {
    return await work(world);
  } finally {
    const admin = await new PrefixedClient(connect(), prefix).admin();
    await admin.deleteTopics(await admin.listTopics());
    await admin.close();
  }
}

async function runOne(seed: number): Promise<Told> {
  const scenario = SCENARIOS[seed % SCENARIOS.length];
  if (scenario === undefined) throw new Error('there is no scenario');
  let installation: Installation | undefined;
  const over = new AbortController();
  const standsStill = systemClock.sleep(RUN_MS, over.signal).then((): never => {
    throw new Error(`SLUICE_SEED=${seed} (${scenario.name}) stands still: ${installation?.report()}`);
  });
  // It loses the race when the run ends.
  standsStill.catch(() => undefined);
  const made = (each: Installation): void => void (installation = each);
  try {
    const run = inWorld((world) => runCase(world, scenario, { seed, records: RECORDS, made }));
    return { seed, records: RECORDS, found: await Promise.race([run, standsStill]) };
  } catch (error) {
    return { seed, records: RECORDS, failed: String(error instanceof Error ? error.stack : error) };
  } finally {
    over.abort();
  }
}

describe('results are a function of the log, on a real broker', { timeout: 540_000 }, () => {
  after(() => Promise.all(clients.map((client) => client.close().catch(() => undefined))));

  test(`${CASES} runs, ${AT_ONCE} at a time`, async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${CASES} seeds`);
    const seeds = Array.from({ length: CASES }, (_, i) => FIRST + i);
    const told: Told[] = [];
    const started = Date.now();
    const worker = async (): Promise<void> => {
      while (Date.now() < started + BEGIN_MS) {
        const seed = seeds.shift();
        if (seed === undefined) return;
        told.push(await runOne(seed));
        process.stderr.write(`determinism on a real broker: seed ${seed} after ${Date.now() - started} ms\n`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    t.diagnostic(`${told.length} of ${CASES} runs`);
    assert.ok(told.length >= FEWEST, 'too slow to show anything');
    judge(t, told);
  });
});
