/** Metrics and health over HTTP, read back by a parser of its own. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { ConfigError } from '#topology';
import { expositionText, type Health, type Metric, serveMetrics } from '../../../connectors/prometheus/index.ts';
import { DurationHistogram, sumOfDurations } from '../../../topology/runtime/duration-histogram.ts';
import { parseExposition } from './parse.ts';

const METRICS: Metric[] = [
  {
    name: 'a_total',
    help: 'With \\ and\nlines.',
    type: 'counter',
    samples: [{ value: 3 }, { labels: { writer: 'a "b"\\\nc', n: 1 }, value: 1e21 }],
  },
  { name: 'none', help: 'Left out.', type: 'gauge', samples: [] },
  {
    name: 'g',
    help: 'Any.',
    type: 'gauge',
    samples: [Infinity, -Infinity, Number.NaN].map((value, i) => ({ labels: { i }, value })),
  },
  {
    name: 'h',
    help: 'Times.',
    type: 'histogram',
    samples: [{ labels: { x: 'y' }, bounds: [0.1, 1], counts: [2, 0, 3], sum: 7.5 }],
  },
];

describe('metrics', () => {
  const closers: (() => Promise<void>)[] = [];
  after(() => Promise.all(closers.map((close) => close())));

  async function served(health: () => Health): Promise<string> {
    const server = await serveMetrics({ host: '127.0.0.1', port: 0 }, { metrics: () => METRICS, health });
    closers.push(() => server.close());
    return `http://127.0.0.1:${server.port}`;
  }

  test('the text has every sample, escaped; histograms are cumulative', () => {
    const samples = parseExposition(expositionText(METRICS));
    assert.deepEqual(
      [...samples],
      [
        ['a_total', 3],
        ['a_total{n=1,writer=a "b"\\\nc}', 1e21],
        ['g{i=0}', Infinity],
        ['g{i=1}', -Infinity],
        ['g{i=2}', Number.NaN],
        ['h_bucket{le=0.1,x=y}', 2],
        ['h_bucket{le=1,x=y}', 2],
        ['h_bucket{le=+Inf,x=y}', 5],
        ['h_sum{x=y}', 7.5],
        ['h_count{x=y}', 5],
      ],
    );
  });

  test('durations fall into the first bucket that holds them', () => {
    const one = new DurationHistogram();
    for (const ms of [0, 2, 2.5, 15_000, 15_001]) one.observe(ms);
    const { bounds, counts, sum } = sumOfDurations([one.read(), one.read()]);
    assert.deepEqual([counts[0], counts[1], counts[bounds.length - 1], counts[bounds.length]], [4, 2, 2, 2]);
    assert.equal(sum, 2 * 30_005.5);
  });

  test('over HTTP, with what the process tells of itself', async () => {
    const url = await served(() => ({ problems: {}, ready: true }));
    const response = await fetch(`${url}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const samples = parseExposition(await response.text());
    assert.equal(samples.get('a_total'), 3);
    assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 1e7);
    assert.ok((samples.get('nodejs_eventloop_lag_seconds{quantile=0.99}') ?? -1) >= 0);
  });

  test('health says what is wrong; ready is something else', async () => {
    let health: Health = { problems: {}, ready: false, detail: { slots: [1] } };
    const url = await served(() => health);
    const get = async (path: string): Promise<[number, unknown]> => {
      const response = await fetch(url + path);
      return [response.status, await response.json()];
    };
    assert.deepEqual(await get('/healthz'), [200, { status: 'ok', problems: {}, slots: [1] }]);
    assert.deepEqual(await get('/readyz'), [503, { status: 'not ready', problems: {}, slots: [1] }]);
    health = { problems: { warehouse: 'waits: PostgreSQL is away' }, ready: true };
    assert.deepEqual(await get('/healthz'), [503, { status: 'failing', problems: health.problems }]);
    assert.deepEqual((await get('/readyz'))[0], 200);
    assert.equal((await get('/other'))[0], 404);
    assert.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  });

  test('a part that cannot say how it is does not end the process; a port that is taken is an error with a code', async () => {
    const url = await served(() => {
      throw new Error('broken');
    });
    const response = await fetch(`${url}/healthz`);
    assert.deepEqual([response.status, await response.json()], [500, { error: 'broken' }]);
    await assert.rejects(
      serveMetrics(
        { host: '127.0.0.1', port: Number(new URL(url).port) },
        { metrics: () => [], health: () => ({ problems: {}, ready: true }) },
      ),
      (error) => error instanceof ConfigError && error.code === 'SLC_METRICS_PORT',
    );
  });
});
