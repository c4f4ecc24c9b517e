/** `sluice replay`: what it takes, and what it tells. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SluiceError } from '#topology';
import { requestOf } from '../../bin/replay/options.ts';
import { ProgressMeter, progressText } from '../../bin/replay/progress.ts';
import { shadowTable } from '../../bin/replay/sinks.ts';

const options = { from: 'earliest', to: 'now', into: 'v2' };
const isRefused = (code: string) => (error: unknown) =>
  error instanceof SluiceError && error.code === code && error.hint !== undefined;

describe('options of sluice replay', () => {
  test('times, offsets and words', () => {
    assert.deepEqual(requestOf('all', options), { id: 'v2', stages: 'all', from: 'earliest', to: 'now' });
    assert.deepEqual(requestOf('gold.a,gold.b', { ...options, from: '2026-01-31T12:00', to: '17' }), {
      id: 'v2',
      stages: ['gold.a', 'gold.b'],
      from: { time: Date.UTC(2026, 0, 31, 12) },
      to: { offset: 17n },
    });
  });

  test('what cannot be is refused, with a hint', () => {
    for (const from of ['yesterday', '10m', '-1', '2026-13-01', '1e3', 'now'])
      assert.throws(() => requestOf('all', { ...options, from }), isRefused('SLC_REPLAY_RANGE'), from);
    for (const into of ['', 'V2', 'a.b', 'a-b', '../x', 'x'.repeat(41), '"; drop'])
      assert.throws(() => requestOf('all', { ...options, into }), isRefused('SLC_REPLAY_NAME'), into);
  });

  test('a table has its shadow beside it', () => {
    assert.deepEqual(shadowTable('gold.sales_perf_24h', 'v2'), { schema: 'gold_v2', name: 'sales_perf_24h' });
  });
});

describe('progress of a replay', () => {
  const HOUR = 3_600_000;
  const sample = (done: number, eventTime: number) => ({
    done,
    total: 1_000,
    eventTime,
    processed: 0,
    slots: { here: 6, all: 6 },
  });

  test('rate, speed-up and time to go', () => {
    const meter = new ProgressMeter();
    assert.deepEqual(meter.take(sample(0, -Infinity), 0), {
      type: 'progress',
      done: 0,
      total: 1_000,
      percent: 0,
      recordsPerSecond: 0,
      eventTime: null,
      speedUp: null,
      etaSeconds: null,
      slotsElsewhere: 0,
    });
    meter.take(sample(100, 0), 1_000);
    const line = meter.take(sample(300, HOUR), 2_000);
    assert.deepEqual(
      { ...line },
      {
        type: 'progress',
        done: 300,
        total: 1_000,
        percent: 30,
        recordsPerSecond: 150,
        eventTime: '1970-01-01T01:00:00.000Z',
        speedUp: 3_600,
        etaSeconds: 5,
        slotsElsewhere: 0,
      },
    );
    assert.equal(
      progressText(line),
      ' 30.0 %  300 of 1,000 offsets  150/s  event time 1970-01-01T01:00:00Z  3,600 times live  5 s to go',
    );
  });

  test('event time does not go back when slots are taken anew', () => {
    const meter = new ProgressMeter();
    meter.take(sample(500, HOUR), 0);
    assert.equal(meter.take(sample(400, 0), 1_000).eventTime, '1970-01-01T01:00:00.000Z');
  });

  test('nothing to read is all of it', () => {
    const nothing = { done: 0, total: 0, eventTime: -Infinity, processed: 0, slots: { here: 2, all: 6 } };
    const line = new ProgressMeter().take(nothing, 0);
    assert.equal(line.percent, 100);
    assert.match(progressText(line), /waits for 4 slots/);
  });
});
