/** Logins through the stages: what is late, out of order, sent twice and of nobody; and how many of the simulator's attacks are found. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BronzeAppLogins, GoldLoginAnomalies, SilverLoginsEnriched } from '#schemas';
import { TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import { loginAnomalies } from '../../processors/gold/login-anomalies.ts';
import { topics } from '../../processors/index.ts';
import { loginsEnriched } from '../../processors/silver/logins-enriched.ts';
import { users } from '../../processors/silver/users.ts';
import type { SimEvent } from '../../simulators/events.ts';
import { Generator } from '../../simulators/generator.ts';
import { boundedPlan, endOf, EVENTS_PER_SECOND, startOf, turnsFor } from '../../simulators/plan.ts';
import { Random } from '../../simulators/random.ts';
import { seedWorld, type User } from '../../simulators/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 5, 1);
const { bronze, silver, gold } = topics;

const open = (seed = 1): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({
    stages: [users, loginsEnriched, loginAnomalies],
    serdes: testSerdes(),
    app: 'shop',
    seed,
    crashes: 0.02,
  });

type Row = Pick<User, 'id' | 'country' | 'createdAt'>;

/** A change of a user; `row` undefined: a delete. */
async function changeUser(driver: TopologyTestDriver, op: string, id: number, at: number, row?: Row): Promise<void> {
  const source = { ts_ms: at, snapshot: null, db: 'shop', table: null, gtid: null, file: 'b.1', pos: 4, row: 0 };
  const columns = (of: Row | undefined) => ({
    id,
    email: null,
    full_name: null,
    country: of?.country ?? null,
    birth_date: null,
    created_at: of?.createdAt ?? 0,
    updated_at: at,
  });
  const value = {
    before: op === 'd' ? columns(undefined) : null,
    after: op === 'd' ? null : columns(row),
    source,
    op,
    ts_ms: at,
  };
  await driver.pipeInput(bronze.shop.users, { key: { id }, value, timestamp: at });
}

let made = 0;
async function attempt(
  driver: TopologyTestDriver,
  at: number,
  properties: Partial<BronzeAppLogins> = {},
): Promise<string> {
  const eventId = properties.eventId ?? `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`;
  const value: BronzeAppLogins = {
    eventId,
    userId: 1,
    anonymousId: 'anon',
    sessionId: null,
    occurredAt: at,
    receivedAt: at,
    succeeded: true,
    method: ' Password',
    country: ' de',
    device: 'iPhone ',
    latitude: 52.52,
    longitude: 13.405,
    ...properties,
  };
  await driver.pipeInput(bronze.app.logins, { key: eventId, value, timestamp: at });
  return eventId;
}

/** Everything has come, for longer than anybody waits. */
async function finish(driver: TopologyTestDriver, at: number): Promise<void> {
  driver.completeUpTo(bronze.shop.users, at);
  driver.completeUpTo(bronze.app.logins, at);
  await driver.run();
}

const found = async (driver: TopologyTestDriver): Promise<GoldLoginAnomalies[]> =>
  (await driver.output(gold.loginAnomalies)).map(({ value }) => value as GoldLoginAnomalies);

describe('silver.logins_enriched', () => {
  test('has each attempt once, with the user as known then; whoever names nobody is left out', async () => {
    const driver = await open();
    await changeUser(driver, 'c', 1, START, { id: 1, country: 'fr', createdAt: START });
    await changeUser(driver, 'u', 1, START + HOUR, { id: 1, country: 'Germany', createdAt: START });
    await changeUser(driver, 'd', 1, START + 2 * HOUR);
    const eventId = await attempt(driver, START + 30 * MINUTE);
    await attempt(driver, START + 30 * MINUTE, { eventId });
    await attempt(driver, START + 90 * MINUTE, { country: 'Atlantis', device: ' ', latitude: null, longitude: null });
    await attempt(driver, START + 3 * HOUR, { succeeded: false });
    await attempt(driver, START + 3 * HOUR, { userId: null });
    await finish(driver, START + DAY);
    const rows = (await driver.output(silver.loginsEnriched)).map(({ key, value }) => {
      const { homeCountry, registeredAt, method, country, device, succeeded } = value as SilverLoginsEnriched;
      return [key, homeCountry, registeredAt, method, country, device, succeeded];
    });
    assert.deepEqual(rows, [
      ['1', 'FR', START, 'password', 'DE', 'iphone', true],
      ['1', null, START, 'password', null, null, true],
      ['1', null, null, 'password', 'DE', 'iphone', false],
    ]);
  });
});

describe('gold.login_anomalies', () => {
  test('judges attempts in the order of their event time; a late one goes to the late topic', async () => {
    const driver = await open();
    for (const second of [50, 10, 40, 20]) await attempt(driver, START + second * 1_000, { succeeded: false });
    const eventId = await attempt(driver, START + MINUTE);
    await attempt(driver, START + 30_000, { succeeded: false });
    await finish(driver, START + 10 * MINUTE);
    await attempt(driver, START + 55_000, { succeeded: false });
    await finish(driver, START + DAY);
    assert.deepEqual(
      (await driver.output(gold.loginAnomalies)).map(({ key }) => key),
      [`${eventId}|brute_force`],
    );
    assert.deepEqual(
      (await found(driver)).map(({ failures }) => failures),
      [5],
    );
    assert.equal(driver.late('silver.logins_enriched').length, 1);
  });

  test("finds at least 95 of 100 of the simulator's attacks, and of 100 alerts at least 95 are attacks", async (t) => {
    const seed = process.env['SLUICE_SEED'] ?? '1';
    const { alerts, labels } = await simulate(seed, 300);
    for (const rule of ['brute_force', 'impossible_travel', 'new_device_and_country']) {
      const of = (all: ReadonlySet<string>): string[] => [...all].filter((each) => each.endsWith(`|${rule}`));
      const right = of(alerts).filter((each) => labels.has(each)).length;
      const [precision, recall] = [right / of(alerts).length, right / of(labels).length];
      t.diagnostic(
        `SLUICE_SEED=${seed} ${rule}: ${of(labels).length} attacks, ${of(alerts).length} alerts, ${right} right: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`,
      );
      assert.ok(of(labels).length >= 80, `${rule}: ${of(labels).length} attacks show little`);
      assert.ok(precision >= 0.95 && recall >= 0.95, rule);
    }
  });
});

/** Alerts and labels as `eventId|rule`. Attacks whose event never arrived, or arrived late, are among the labels. */
async function simulate(seed: string, seconds: number): Promise<{ alerts: Set<string>; labels: Set<string> }> {
  const driver = await open();
  const turns = turnsFor(seconds * EVENTS_PER_SECOND, 0);
  const wall = START + 2 * DAY + seconds * 2 * HOUR;
  const start = startOf(seconds, wall);
  const plan = boundedPlan(start, endOf(seconds, start), turns);
  const world = seedWorld(new Random(seed, 0, 'seed'), start);
  const generator = new Generator(seed, 0, world);
  const labels = new Set<string>();
  for (const { id, createdAt, country } of world.users)
    await changeUser(driver, 'r', id, createdAt, { id, country, createdAt });
  for (let turn = 0; turn < turns; turn++) {
    const step = generator.next(plan.base(wall), wall);
    if (step?.kind === 'event' && step.event.kind === 'login') {
      for (const label of step.event.labels ?? []) labels.add(`${step.event.id}|${label}`);
      await send(driver, step.event);
    }
    for (const { table, key, kind, at } of step?.kind === 'transaction' ? step.transaction.changes : []) {
      if (table !== 'users') continue;
      const row = world.users.find(({ id }) => id === key);
      await changeUser(driver, kind === 'delete' ? 'd' : kind === 'insert' ? 'c' : 'u', key, at, row);
    }
  }
  await finish(driver, wall);
  return { alerts: new Set((await found(driver)).map(({ eventId, rule }) => `${eventId}|${rule}`)), labels };
}

/** As the collector does: what is invalid goes no further. */
async function send(driver: TopologyTestDriver, { flag, body, at, base }: SimEvent): Promise<void> {
  if (flag.startsWith('invalid:')) return;
  const { properties } = JSON.parse(body) as { properties: Partial<BronzeAppLogins> };
  await attempt(driver, at, { ...properties, receivedAt: base });
}
