/** What the tests of the capture on real servers share. Databases and topics have a random suffix each; nothing waits for a fixed time. */
import { randomBytes } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { Type } from 'avsc';
import { type KafkaClient, type Logger, RecordCursor } from '#topology';
import { compile } from '../../../connectors/mysql-cdc/codec.ts';
import { connectionSettings } from '../../../connectors/mysql-cdc/connection.ts';

/** Address of a part that the tests need; they are run by `npm test`, which starts the parts. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '')
    throw new Error(`${name} is not set: run these tests with \`npm test\`, which starts the parts`);
  return value;
}

export const suffix = (): string => randomBytes(4).toString('hex');

/** A generator of numbers in [0, 1): the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Resolves when the condition holds; fails with what it is when it does not in time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface Sql {
  run(statement: string): Promise<void>;
  rows(statement: string): Promise<RowDataPacket[]>;
  end(): Promise<void>;
}

/** A connection that takes any statements, in UTC. */
export async function sql(url: string, database?: string): Promise<Sql> {
  const connection = await createConnection({
    ...connectionSettings(url),
    multipleStatements: true,
    ...(database === undefined ? {} : { database }),
  });
  await connection.query("SET time_zone = '+00:00'");
  return {
    run: async (statement) => void (await connection.query(statement)),
    rows: async (statement) => (await connection.query<RowDataPacket[]>(statement))[0],
    end: () => connection.end(),
  };
}

/** A log that can be read back. */
export function memoryLogger(): Logger & { readonly lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
    if (process.env['SLUICE_TEST_LOG'] !== undefined) console.log(level, message, JSON.stringify(fields));
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A record as it lies in the topic. */
export interface RawRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** All committed records of a topic, in order per partition. */
export async function readTopic(kafka: KafkaClient, topic: string, partitions: number): Promise<RawRecord[]> {
  const reader = await kafka.reader({ committed: true });
  const cursor = new RecordCursor();
  const records: RawRecord[] = [];
  const open = new Set<number>();
  for (let partition = 0; partition < partitions; partition++) {
    open.add(partition);
    reader.seek({ topic, partition }, 'earliest');
  }
  try {
    while (open.size > 0) {
      for (const fetched of await reader.poll(200)) {
        const { partition } = fetched;
        for (const batch of fetched.batches) {
          cursor.open(batch);
          while (cursor.next()) {
            const [key, value] = [cursor.keyBytes(), cursor.valueBytes()];
            const { offset, timestamp } = cursor;
            records.push({
              partition,
              offset: BigInt(offset),
              timestamp,
              key: Buffer.from(key ?? []),
              value: value === null ? null : Buffer.from(value),
            });
          }
        }
        if (fetched.nextOffset >= fetched.endOffset) open.delete(partition);
      }
    }
    return records;
  } finally {
    await reader.close();
  }
}

/** Debezium's envelope as the tests see it. */
export interface Envelope {
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly source: {
    readonly gtid: string | null;
    readonly file: string;
    readonly pos: number | bigint;
    readonly row: number;
    readonly snapshot: string;
  };
  readonly op: 'c' | 'u' | 'd' | 'r';
  readonly ts_ms: number | bigint;
}

/** Decodes framed Avro with the schema that it was written with; longs are bigints. */
export function writerDecoder(registryUrl: string): (bytes: Buffer) => Promise<unknown> {
  const types = new Map<number, Promise<Type>>();
  const fetchType = async (id: number): Promise<Type> => {
    const response = await fetch(`${registryUrl}/schemas/ids/${id}`, { headers: { connection: 'close' } });
    const { schema } = (await response.json()) as { schema: string };
    return compile(JSON.parse(schema) as object);
  };
  return async (bytes) => {
    const id = bytes.readUInt32BE(1);
    const type = types.get(id) ?? fetchType(id);
    types.set(id, type);
    return (await type).fromBuffer(bytes.subarray(5));
  };
}

/** Options of a capture over a test's own database and topics. */
export function captureOptions(database: string, tables: readonly string[]) {
  return {
    mysqlUrl: required('SLUICE_TEST_MYSQL'),
    registryUrl: required('SLUICE_TEST_REGISTRY'),
    tables,
    topicPrefix: 'test',
    database,
    name: `cdc.${database}`,
    outOfOrdernessMs: 10_000,
    partitions: 3,
  } as const;
}
