/** Samples of hosts: percentiles against sorting, and what comes late, out of order or twice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BronzeOpsSystemLoad, GoldSystemLoad5m } from '#schemas';
import { random, TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import {
  addSample,
  average,
  type Histogram,
  largest,
  NO_SAMPLES,
  percentile,
  samplesIn,
} from '../../processors/gold/histogram.ts';
import { systemLoad5m } from '../../processors/gold/system-load-5m.ts';
import { topics } from '../../processors/index.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const MINUTE = 60_000;
const START = Date.UTC(2026, 5, 1);
const { bronze, gold } = topics;

const histogramOf = (samples: readonly number[]): Histogram => samples.reduce(addSample, NO_SAMPLES);

describe('a histogram', () => {
  test('says what sorting says, for any number of samples', (t) => {
    const g = random(SEED);
    t.diagnostic(`SLUICE_SEED=${SEED}`);
    for (let count = 1; count <= 120; count++) {
      const samples = Array.from({ length: count }, () => g.int(0, g.int(0, 1_000)));
      const histogram = histogramOf(samples);
      const sorted = samples.toSorted((a, b) => a - b);
      assert.equal(percentile(histogram, 95), sorted[Math.ceil(0.95 * count) - 1]);
      assert.equal(percentile(histogram, 50), sorted[Math.ceil(0.5 * count) - 1]);
      assert.equal(average(histogram), Math.round(samples.reduce((sum, each) => sum + each, 0) / count));
      assert.deepEqual([samplesIn(histogram), largest(histogram)], [count, sorted.at(-1)]);
    }
  });

  test('is bounded, and the order in which samples come does not matter', () => {
    const samples = Array.from({ length: 5_000 }, (_, i) => ((i * 37) % 1_300) - 100);
    const histogram = histogramOf(samples);
    assert.equal(histogram.length, 1_001);
    assert.deepEqual(histogram, histogramOf(samples.toReversed()));
  });

  test('of nothing is 0', () => {
    assert.deepEqual([average(NO_SAMPLES), percentile(NO_SAMPLES, 95), largest(NO_SAMPLES)], [0, 0, 0]);
  });
});

describe('gold.system_load_5m', () => {
  test('takes what is out of order, each sample once, and no late one', async () => {
    const driver = await TopologyTestDriver.create({ stages: [systemLoad5m], serdes: testSerdes(), app: 'shop' });
    let made = 0;
    const sample = async (at: number, cpuPermille: number, id = ++made): Promise<void> => {
      const eventId = `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;
      const value: BronzeOpsSystemLoad = {
        eventId,
        occurredAt: at,
        receivedAt: at,
        host: ' Web-1',
        cpuPermille,
        memoryPermille: 2_000,
      };
      await driver.pipeInput(bronze.ops.systemLoad, { key: eventId, value, timestamp: at });
    };
    await driver.pipeInput(bronze.ops.systemLoad, { key: 'gone', value: null, timestamp: START });
    await sample(START + 4 * MINUTE, 100);
    await sample(START + 5 * MINUTE, 900);
    await sample(START, 201);
    await sample(START, 201, made);
    driver.completeUpTo(bronze.ops.systemLoad, START + 10 * MINUTE - 1);
    await driver.run();
    await sample(START + 5 * MINUTE - 1, 0);
    await driver.run();
    driver.completeUpTo(bronze.ops.systemLoad, START + 11 * MINUTE);
    await driver.run();
    await sample(START + 5 * MINUTE - 1, 1_000);
    await driver.run();
    const rows = [...(await driver.table(gold.systemLoad5m)).values()] as GoldSystemLoad5m[];
    const short = rows.map(({ windowStart, host, samples, cpuAverage, cpuP95, cpuMax, memoryMax }) => [
      (windowStart - START) / MINUTE,
      host,
      samples,
      cpuAverage,
      cpuP95,
      cpuMax,
      memoryMax,
    ]);
    assert.deepEqual(short, [
      [0, 'web-1', 3, 100, 201, 201, 1_000],
      [5, 'web-1', 1, 900, 900, 900, 1_000],
    ]);
    assert.equal(driver.late('gold.system_load_5m').length, 1);
  });
});
