/** A capture server in a folder of its own, and a sink that sends numbers to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSinkPositions, type KafkaClient, type Logger, type Sink, type SinkRecord } from '#topology';
import { createPostHogSink, type PostHogEvent, type PostHogSinkOptions } from '../../../connectors/posthog/index.ts';
import { type CaptureServer, startCaptureServer } from '../../../dev/posthog/capture-server.ts';
import type { SinkHarness } from '../sink.contract.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
export const KEY = 'phc_test-key';
export const TOPIC = 'gold.numbers';
const START = Date.UTC(2026, 6, 1);

export interface TestCapture extends CaptureServer {
  close(): Promise<void>;
}

export async function makeCapture(): Promise<TestCapture> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-capture-'));
  const server = await startCaptureServer({ dir, port: 0, key: KEY });
  return {
    ...server,
    async close() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A UUID that says what it is of. */
export function uuidOf(kind: number, n: number): string {
  return `00000000-0000-5000-8000-${String(kind).padStart(4, '0')}${n.toString(16).padStart(8, '0')}`;
}

/** Each record is an event of its own: what is there twice, or not at all, is seen. */
export function numberEvent(_topic: string, record: SinkRecord): PostHogEvent {
  const { n, label, partition = 0 } = record.value as { n: number; label: string; partition?: number };
  return {
    uuid: uuidOf(partition, Number(record.offset)),
    event: 'number',
    distinctId: String(record.key),
    timestamp: START + Number(record.offset),
    properties: { n, label, offset: Number(record.offset) },
  };
}

export function makeSink(url: string, client: KafkaClient, more: Partial<PostHogSinkOptions> = {}): Sink {
  return createPostHogSink({
    host: url,
    key: KEY,
    topics: [TOPIC],
    eventOf: numberEvent,
    positions: createSinkPositions({ client, app: 'test', stage: 'posthog' }),
    logger: silent,
    patienceMs: 200,
    ...more,
  });
}

export function numberRecord(offset: bigint, key: string, n: number, label = 'good'): SinkRecord {
  // Contract tests have keys p<partition>-...: the same offset of two partitions is not the same event.
  const partition = Number(/^p(\d+)-/.exec(key)?.[1] ?? 0);
  return { offset, timestamp: START, key, value: { n, label, partition } };
}

/** For the contract suite: over any Kafka. */
export async function startHarness(makeClient: () => KafkaClient): Promise<SinkHarness & { capture: TestCapture }> {
  const capture = await makeCapture();
  capture.failures.add({ status: 400, forMs: 600_000, matching: '"label":"poison"' });
  const client = makeClient();
  const sinks: Sink[] = [];
  const numbers = (): { key: string; n: number; offset: number }[] =>
    capture.received.list().map(({ distinctId, properties }) => {
      const { n, offset } = properties as { n: number; offset: number };
      return { key: distinctId, n, offset };
    });
  return {
    capture,
    topic: TOPIC,
    delivery: 'merged',
    deletes: false,
    makeSink() {
      const sink = makeSink(capture.url, client);
      sinks.push(sink);
      return sink;
    },
    record: (offset, key, n) => numberRecord(offset, key, n),
    poison: (offset, key) => numberRecord(offset, key, 1, 'poison'),
    rows: () =>
      Promise.resolve(
        new Map(
          numbers()
            .toSorted((a, b) => a.offset - b.offset)
            .map(({ key, n }) => [key, n]),
        ),
      ),
    // By partition, then offset: each test has a higher partition than those before.
    history() {
      const uuids = capture.received.list().map(({ uuid }) => uuid);
      return Promise.resolve(uuids.toSorted().map((uuid) => BigInt(`0x${uuid.slice(-8)}`)));
    },
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()));
      await client.close();
      await capture.close();
    },
  };
}

/** Of records that say where they belong: what is there says what is missing. */
export function flowEvent(_topic: string, record: SinkRecord): PostHogEvent {
  const { partition, n } = record.value as { partition: number; n: number };
  return {
    uuid: uuidOf(partition, n),
    event: 'number',
    distinctId: String(record.key),
    timestamp: START + n,
    properties: { partition, n },
  };
}
