/**
 * The shop's stages over the TopologyTestDriver, with Avro, on synthetic bronze topics: every silver and gold row against an independent reference.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { schemas } from '#schemas';
import type { Pin } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import { type Comparison, compareCount, compareRows } from '../../dev/verify/compare.ts';
import type { BronzeDump } from '../../dev/verify/oracle-database.ts';
import { columnsOf, type Definitions, textOf, VERIFIED_TABLES } from '../../dev/verify/tables.ts';
import { shopStages, topics } from '../../processors/index.ts';
import { expectedOf } from '../oracles/reference.ts';
import { DAY, makeDump, PARTITIONS, SECOND, START } from '../oracles/synthetic.ts';
import { complete, topicOf } from './shop-dump.ts';

const SEEDS = 9;
const FIRST = Number(process.env['SLUICE_SEED'] ?? 1);
const definitions = Object.fromEntries(
  Object.values(schemas).map((schema) => [schema.name, schema.definition]),
) as unknown as Definitions;
const { bronze } = topics;

/** The dump speaks of three partitions; the others of a topic say at once that nothing will ever come. */
function pinsOf(dump: BronzeDump): Pin[] {
  const silent = [...Object.values(bronze.shop), ...Object.values(bronze.app), ...Object.values(bronze.ops)].flatMap(
    ({ name, partitions }) =>
      Array.from({ length: partitions - PARTITIONS }, (_, i) => {
        return { topic: name, partition: PARTITIONS + i, at: 0n, m: START + 1_000 * DAY };
      }),
  );
  return [...dump.pins, ...silent];
}

/** A driver that has read the whole dump: a replay by its pins, in an order that the seed decides, with crashes. */
async function replay(dump: BronzeDump, seed: number): Promise<TopologyTestDriver> {
  const driver = await TopologyTestDriver.create({
    stages: shopStages,
    serdes: testSerdes(),
    app: 'shop',
    seed,
    crashes: 0.05,
    tickMs: SECOND,
    pins: pinsOf(dump),
  });
  for (const record of dump.records) {
    const topic = topicOf(record.topic);
    driver.skipTo(topic, record.partition, record.offset);
    await driver.pipeInput(topic, record);
  }
  for (const { topic, partition, end } of dump.ends) driver.skipTo(topicOf(topic), partition, end);
  await driver.run();
  return driver;
}

async function rowsOf(driver: TopologyTestDriver, table: (typeof VERIFIED_TABLES)[number]): Promise<unknown[]> {
  const topic = topicOf(table.name);
  if (table.rows === 'last') {
    return [...(await driver.table(topic))].map(([key, value]) => ({ ...(value as object), _key: key }));
  }
  return (await driver.output(topic)).map(({ key, value, timestamp, originWatermark }) => {
    return { ...(value as object), _key: key, _ts: timestamp, _ow: originWatermark, _deleted: value === null };
  });
}

async function compare(driver: TopologyTestDriver, dump: BronzeDump): Promise<Comparison[]> {
  const expected = expectedOf(dump);
  const results: Comparison[] = [];
  for (const table of VERIFIED_TABLES) {
    const columns = columnsOf(table, definitions);
    const text = (row: unknown): (string | null)[] =>
      columns.map((column) => textOf((row as Record<string, unknown>)[column]));
    const wanted = (expected.tables[table.name] ?? []).map(text);
    const found = (await rowsOf(driver, table)).map(text);
    results.push(compareRows(table.name, columns, table.identity, wanted, found));
    if (table.late) {
      const late = driver.late(table.name).length;
      results.push(compareCount(`${table.name}.late`, expected.late[table.name] ?? NaN, late));
    }
  }
  return results;
}

describe('the shop', () => {
  test('every row of every silver and gold table is what the rules demand', async (t) => {
    const rows = new Map<string, number>();
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const dump = complete(makeDump(seed));
      for (const { name, rows: n, differing, missing, extra, examples } of await compare(
        await replay(dump, seed),
        dump,
      )) {
        const wrong = differing + missing + extra;
        assert.equal(wrong, 0, `SLUICE_SEED=${seed}: ${name}: ${wrong} of ${n} rows\n${examples.join('\n')}`);
        rows.set(name, (rows.get(name) ?? 0) + n);
      }
    }
    const counts = [...rows].map(([name, n]) => `${name} ${n}`).join(', ');
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds: ${counts}`);
    for (const { name } of VERIFIED_TABLES) {
      const n = rows.get(name) ?? 0;
      assert.ok(n >= 100, `${name}: only ${n} rows in ${SEEDS} seeds show little`);
    }
  });
});
