/** A collector over a broker in memory, and what it has written. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { TestContext } from 'node:test';
import {
  HINTS_TOPIC,
  type Hint,
  type KafkaClient,
  parseHint,
  RecordCursor,
  type Serde,
  type SerdeFactory,
  type TopicPartition,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { testSerdes } from '../../../connectors/avro/testing.ts';
import {
  createHttpCollector,
  type HttpCollector,
  type HttpCollectorOptions,
} from '../../../connectors/http-events/index.ts';
import { topics } from '../../../processors/topics.ts';

export const PAGEVIEWS = topics.bronze.app.pageviews.name;
export const REGISTRATIONS = topics.bronze.app.registrations.name;
export const UNKNOWN = 'bronze.app.events.dlq';
export const OUT_OF_ORDERNESS = 60_000;
const DEADLINE_MS = 10_000;

export const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: {
    readonly accepted?: number;
    readonly rejected?: readonly { index: number; eventId?: string; code: string; reason: string }[];
    readonly code?: string;
    readonly status?: string;
    readonly waitingFor?: string;
  };
}

export interface Written {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | undefined;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export class Bench {
  readonly broker = new FakeKafka();
  readonly serdes = testSerdes();
  readonly events = { pageview: topics.bronze.app.pageviews, registration: topics.bronze.app.registrations };
  readonly collector: HttpCollector;
  /** Kafka transactions committed. */
  commits = 0;
  /** Events received and found good. */
  encoded = 0;
  /** What every commit waits for. */
  gate: Promise<void> = Promise.resolve();

  constructor(options: Partial<HttpCollectorOptions> = {}) {
    this.collector = createHttpCollector({
      kafka: this.#gated(this.broker.client()),
      serdes: { open: (...args) => this.#counted(...args) },
      events: this.events,
      unknownEventsTopic: UNKNOWN,
      keys: ['first', 'dev'],
      port: 0,
      logger: silent,
      hintMs: 10,
      ...options,
    });
  }

  static async started(t: TestContext, options: Partial<HttpCollectorOptions> = {}): Promise<Bench> {
    const bench = new Bench(options);
    t.after(() => bench.collector.stop());
    await bench.collector.start();
    return bench;
  }

  async #counted<T>(...args: Parameters<SerdeFactory['open']>): Promise<Serde<T>> {
    const serde = (await this.serdes.open(...args)) as Serde<T>;
    return {
      deserialize: (bytes) => serde.deserialize(bytes),
      serialize: (value) => {
        this.encoded++;
        return serde.serialize(value);
      },
    };
  }

  #gated(client: KafkaClient): KafkaClient {
    return {
      ...client,
      producer: async (options) => {
        const producer = await client.producer(options);
        const commit = producer.commit.bind(producer);
        producer.commit = async () => {
          await this.gate;
          await commit();
          this.commits++;
        };
        return producer;
      },
    };
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return post(this.collector.port ?? 0, body, headers);
  }

  written(topic: string): Promise<Written[]> {
    return readAll(this.broker.client(), topic);
  }

  /** Everything in all topics of events. */
  async all(): Promise<Written[]> {
    const names = [PAGEVIEWS, REGISTRATIONS, `${PAGEVIEWS}.dlq`, `${REGISTRATIONS}.dlq`, UNKNOWN];
    return (await Promise.all(names.map((name) => this.written(name)))).flat();
  }

  async hints(): Promise<Hint[]> {
    const written = await this.written(HINTS_TOPIC);
    return written.flatMap(({ value }) => parseHint(value) ?? []);
  }
}

/** Sends a body: text and bytes as they are, anything else as JSON. */
export function post(port: number, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/v1/events',
        agent: false,
        headers: {
          'content-type': 'application/json',
          authorization: 'Bearer dev',
          'content-length': bytes.length,
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: JSON.parse(text) as Answer['body'],
          });
        });
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}

/** Committed records of a topic of six partitions or one. */
export async function readAll(client: KafkaClient, topic: string): Promise<Written[]> {
  const admin = await client.admin();
  const count = (await admin.partitionCounts([topic])).get(topic) ?? 0;
  const partitions: TopicPartition[] = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  const ranges = await admin.offsets(partitions, { committed: true });
  await admin.close();
  const reader = await client.reader({ committed: true });
  const open = new Map(partitions.map(({ partition }, index) => [partition, ranges[index]?.end ?? 0n]));
  const written: Written[] = [];
  try {
    for (const tp of partitions) reader.seek(tp, 'earliest');
    const deadline = Date.now() + DEADLINE_MS;
    while (open.size > 0) {
      if (Date.now() > deadline) throw new Error(`${topic} cannot be read to its end`);
      for (const { partition, batches, nextOffset } of await reader.poll(100)) {
        for (const batch of batches) {
          const cursor = new RecordCursor();
          cursor.open(batch);
          while (cursor.next()) written.push(writtenOf(partition, cursor));
        }
        if (nextOffset >= (open.get(partition) ?? 0n)) open.delete(partition);
      }
    }
  } finally {
    await reader.close();
  }
  return written;
}

function writtenOf(partition: number, cursor: RecordCursor): Written {
  return {
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: cursor.keyBytes()?.toString(),
    value: Buffer.from(cursor.valueBytes() ?? []),
    headers: Object.fromEntries(cursor.headers().map(([name, value]) => [name, value?.toString() ?? ''])),
  };
}

export async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function pageview(properties: Record<string, unknown> = {}): {
  event: string;
  properties: Record<string, unknown>;
} {
  return {
    event: 'pageview',
    properties: {
      eventId: randomUUID(),
      anonymousId: 'a1',
      occurredAt: 1_700_000_000_000,
      url: '/items/7',
      ...properties,
    },
  };
}

export function registration(properties: Record<string, unknown> = {}): {
  event: string;
  properties: Record<string, unknown>;
} {
  return {
    event: 'registration',
    properties: { eventId: randomUUID(), anonymousId: 'a1', occurredAt: 1_700_000_000_000, ...properties },
  };
}
