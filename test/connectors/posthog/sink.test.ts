/** The PostHog sink against a capture server that fails on demand; positions in a Kafka in memory. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { PostHog } from 'posthog-node';
import {
  ConfigError,
  ConnectorError,
  RetriableError,
  type Sink,
  type SinkPartition,
  type SinkRecord,
  SinkRecordError,
  TaskMigratedError,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import type { Failure } from '../../../dev/posthog/failures.ts';
import { sinkContract } from '../sink.contract.ts';
import {
  KEY,
  makeCapture,
  makeSink,
  numberEvent,
  numberRecord,
  startHarness,
  type TestCapture,
  TOPIC,
  uuidOf,
} from './harness.ts';

sinkContract('PostHog', () => startHarness(() => new FakeKafka().client()));

const records = (from: number, to: number): SinkRecord[] =>
  Array.from({ length: to - from }, (_, i) => numberRecord(BigInt(from + i), `k${from + i}`, from + i));

describe('the PostHog sink', () => {
  let capture: TestCapture;
  let broker: FakeKafka;
  let sink: Sink;
  let held: SinkPartition;
  before(async () => {
    capture = await makeCapture();
  });
  after(() => capture.close());

  /** A sink and a partition of its own, and what the server has received of it when it is over. */
  async function withSink(
    options: Parameters<typeof makeSink>[2],
    failure: Failure | undefined,
    body: () => Promise<void>,
  ): Promise<number[]> {
    broker = new FakeKafka();
    sink = makeSink(capture.url, broker.client(), options);
    held = await sink.claim(TOPIC, 0);
    const count = capture.received.total;
    if (failure !== undefined) capture.failures.add(failure);
    try {
      await body();
    } finally {
      capture.failures.add({ status: 500, forMs: 0 });
      await sink.close();
    }
    assert.ok(capture.received.total >= count);
    return capture.received.list().map(({ properties }) => Number(properties['offset']));
  }
  const fails = (failure: Failure): Promise<void> =>
    assert.rejects(held.write(records(0, 3), 3n), (error: Error) => {
      assert.ok(error instanceof RetriableError, String(error));
      assert.equal(error.code, 'SLC_POSTHOG_AWAY');
      assert.ok(!error.message.includes(KEY));
      assert.equal(held.nextOffset, null, JSON.stringify(failure));
      return true;
    });

  const passing: Failure[] = [
    { status: 500, forMs: 60_000 },
    { status: 503, forMs: 60_000 },
    { status: 408, forMs: 60_000 },
    { status: 429, retryAfter: 60, forMs: 60_000 },
    { status: 'reset', forMs: 60_000 },
    { status: 'hang', forMs: 60_000 },
    { status: 'reset', taken: true, forMs: 60_000 },
  ];
  for (const failure of passing) {
    test(`waits when the server fails: ${JSON.stringify(failure)}`, async () => {
      await withSink({ requestTimeoutMs: 100 }, failure, () => fails(failure));
    });
  }

  test('a failure that passes within its patience is nobody’s business', async () => {
    await withSink({ patienceMs: 30_000 }, { status: 503, forMs: 150 }, async () => {
      await held.write(records(100, 150), 150n);
      assert.equal(held.nextOffset, 150n);
    });
    assert.equal(capture.received.list().filter(({ properties }) => Number(properties['offset']) >= 100).length, 50);
  });

  test('Retry-After holds back every partition of the sink', async () => {
    await withSink({}, { status: 429, retryAfter: 60, forMs: 60_000 }, async () => {
      await fails({ status: 429, forMs: 1 });
      capture.failures.add({ status: 500, forMs: 0 });
      const other = await sink.claim(TOPIC, 1);
      await assert.rejects(other.write(records(0, 1), 1n), { code: 'SLC_POSTHOG_AWAY' });
    });
  });

  test('after a failed write the next claim sends all of it, with the same identity', async () => {
    const { total } = capture.received;
    const offsets = await withSink({}, { status: 'reset', taken: true, forMs: 60_000 }, async () => {
      await assert.rejects(held.write(records(1_000, 1_400), 1_400n), RetriableError);
      capture.failures.add({ status: 500, forMs: 0 });
      const again = await makeSink(capture.url, broker.client()).claim(TOPIC, 0);
      assert.equal(again.nextOffset, null);
      await again.write(records(1_000, 1_400), 1_400n);
      await assert.rejects(held.write(records(1_400, 1_401), 1_401n), TaskMigratedError);
    });
    assert.equal(offsets.filter((offset) => offset >= 1_000).length, 400);
    assert.ok(capture.received.total - total >= 800, 'nothing was sent twice');
  });

  test('a wrong key stands still with a hint, and is told to nobody', async () => {
    const wrong = makeSink(capture.url, new FakeKafka().client(), { key: 'phc_secret-and-wrong' });
    const partition = await wrong.claim(TOPIC, 0);
    await assert.rejects(partition.write(records(0, 1), 1n), (error: Error) => {
      assert.ok(error instanceof ConnectorError, String(error));
      assert.equal(error.code, 'SLC_POSTHOG_ACCESS');
      assert.match(error.hint ?? '', /SLUICE_POSTHOG_KEY/);
      assert.ok(!`${error.stack} ${JSON.stringify(error)}`.includes('phc_secret'));
      return true;
    });
    await wrong.close();
  });

  for (const status of [400, 413]) {
    test(`of a batch that is refused by ${status} one record is the cause, all others are sent`, async () => {
      const base = status * 1_000;
      const uuid = uuidOf(0, base + 77);
      const offsets = await withSink({}, { status, matching: uuid, forMs: 60_000 }, async () => {
        const batch = records(base, base + 300);
        await assert.rejects(held.write(batch, BigInt(base + 300)), (error: Error) => {
          assert.ok(error instanceof SinkRecordError, String(error));
          assert.equal(error.code, 'SLC_RECORD_POSTHOG');
          assert.deepEqual(
            error.rejected.map(({ offset }) => Number(offset)),
            [base + 77],
          );
          return true;
        });
        const rest = batch.filter(({ offset }) => Number(offset) !== base + 77);
        await held.write(rest, BigInt(base + 300));
        assert.equal(held.nextOffset, BigInt(base + 300));
      });
      const here = offsets.filter((offset) => offset >= base && offset < base + 300);
      assert.deepEqual(here, [...new Set(here)]);
      assert.equal(here.length, 299);
    });
  }

  test('what posthog-node would silently change is refused before it is sent', async () => {
    const bad = [
      { uuid: 'no uuid' },
      { distinctId: '' },
      { distinctId: 'x'.repeat(201) },
      { timestamp: Number.NaN },
      { event: '' },
    ];
    const total = capture.received.total;
    await withSink(
      { eventOf: (topic, record) => ({ ...numberEvent(topic, record), ...bad[Number(record.offset)] }) },
      undefined,
      () =>
        assert.rejects(held.write(records(0, 6), 6n), (error: Error) => {
          assert.ok(error instanceof SinkRecordError);
          assert.deepEqual(
            error.rejected.map(({ offset }) => Number(offset)),
            [0, 1, 2, 3, 4],
          );
          return true;
        }),
    );
    assert.equal(capture.received.total, total);
  });

  test('more than one request may carry is sent in several; the same event in a batch is sent once', async () => {
    const total = capture.received.total;
    await withSink({}, undefined, () => held.write(records(50_000, 51_203), 51_203n));
    assert.equal(capture.received.total - total, 1_203);
    await withSink(
      { eventOf: (topic, record) => ({ ...numberEvent(topic, record), uuid: uuidOf(9, 9), timestamp: 1 }) },
      undefined,
      () => held.write(records(0, 10), 10n),
    );
    assert.equal(capture.received.total - total, 1_204);
  });

  test('an address where no PostHog is', async () => {
    assert.throws(() => makeSink('ftp://x', broker.client()), ConfigError);
    assert.throws(() => makeSink(capture.url, broker.client(), { key: ' ' }), ConfigError);
    const answers: Record<string, [number, string]> = {
      page: [200, '<html>'],
      redirect: [301, ''],
      missing: [404, '{}'],
      quota: [200, '{"status":"Ok","quota_limited":["events"]}'],
    };
    const server = createServer((request, response) => {
      const [status, body] = answers[request.url?.split('/')[1] ?? ''] ?? [500, ''];
      response.writeHead(status, { location: '/' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as AddressInfo;
    for (const name of Object.keys(answers)) {
      const other = makeSink(`http://127.0.0.1:${port}/${name}/`, new FakeKafka().client());
      const partition = await other.claim(TOPIC, 0);
      await assert.rejects(partition.write(records(0, 1), 1n), {
        code: name === 'quota' ? 'SLC_POSTHOG_QUOTA' : 'SLC_POSTHOG_HOST',
      });
      assert.equal(partition.nextOffset, null);
      await other.close();
    }
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test('closing ends a request that is under way', async () => {
    await withSink({}, { status: 'hang', forMs: 60_000 }, async () => {
      const writing = assert.rejects(held.write(records(0, 3), 3n), RetriableError);
      await sink.close();
      await writing;
    });
  });

  test('the control: posthog-node by itself loses what a failing server does not take', async () => {
    const before = capture.received.total;
    capture.failures.add({ status: 503, forMs: 60_000 });
    const naive = new PostHog(KEY, { host: capture.url, fetchRetryDelay: 1, flushInterval: 0 });
    naive.on('error', () => undefined);
    for (const { uuid, event, distinctId, properties } of records(0, 5).map((record) => numberEvent(TOPIC, record)))
      naive.capture({ uuid, event, distinctId, properties });
    await naive.flush().catch(() => undefined);
    capture.failures.add({ status: 500, forMs: 0 });
    await naive.flush();
    await naive.shutdown();
    assert.equal(capture.received.total, before);
  });
});
