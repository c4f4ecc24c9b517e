/** Bytes in a topic that no schema of the registry reads, on a real broker and registry: dead letters, and the records behind them go on. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  BatchBuilder,
  buildTopology,
  createKafkaClient,
  deadLetterTopicOf,
  type KafkaClient,
  mapValues,
  originTopic,
  RecordCursor,
  type Schema,
  stage,
  startStreamApp,
  topic,
} from '#topology';
import { createAvroSerdes } from '../../../connectors/avro/index.ts';

const DEADLINE_MS = 60_000;
const PARTITIONS = 6;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Reading {
  readonly n: number;
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: \`npm test\` starts the parts and sets it`);
  return value;
}

interface Found {
  readonly value: Buffer;
  readonly code: string | undefined;
}

async function readAll(client: KafkaClient, name: string): Promise<Found[]> {
  const reader = await client.reader({ committed: true });
  const open = new Set(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  for (const partition of open) reader.seek({ topic: name, partition }, 'earliest');
  const cursor = new RecordCursor();
  const found: Found[] = [];
  while (open.size > 0) {
    for (const { partition, batches, nextOffset, endOffset } of await reader.poll(50)) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          found.push({
            value: Buffer.from(cursor.valueBytes() ?? []),
            code: new Map(cursor.headers()).get('code')?.toString(),
          });
        }
      }
      if (nextOffset >= endOffset) open.delete(partition);
    }
  }
  await reader.close();
  return found;
}

test('a record that is not Avro or of an unknown schema id: dead letter as it was, the others go on', async (t) => {
  const app = `bytes-${randomUUID().slice(0, 8)}`;
  const schema: Schema<Reading> = {
    name: 'Reading',
    definition: { type: 'record', name: 'Reading', fields: [{ name: 'n', type: 'long' }] },
  };
  const input = originTopic<Reading>(`${app}.in`, { value: schema, outOfOrderness: '5s' });
  const output = topic<Reading>(`${app}.out`, { value: schema });
  const copy = stage(`${app}.copy`, (s) => {
    s.stream(input)
      .pipe(mapValues((value) => value))
      .to(output);
  });
  const serdes = createAvroSerdes({ registryUrl: required('SLUICE_TEST_REGISTRY') });
  const client = createKafkaClient({
    brokers: required('SLUICE_TEST_KAFKA').split(','),
    clientId: app,
    logger: silent,
  });
  await (await client.admin()).ensureTopics([{ name: input.name, partitions: PARTITIONS }]);
  const serde = await serdes.open(`${input.name}-value`, schema, { write: true });
  const good = (n: number): Buffer => Buffer.from(serde.serialize({ n }));
  const unknownId = Buffer.concat([Buffer.from([0, 0x7f, 0, 0, 1]), good(2).subarray(5)]);
  const bad: readonly (readonly [string, Buffer])[] = [
    ['SLC_RECORD_DECODE', Buffer.from('no Avro at all')],
    ['SLC_RECORD_SCHEMA_UNKNOWN', unknownId],
    ['SLC_RECORD_DECODE', good(3).subarray(0, 5)],
    ['SLC_RECORD_DECODE', Buffer.alloc(0)],
  ];
  const batch = new BatchBuilder();
  const now = Date.now();
  for (const value of [good(1), ...bad.map(([, bytes]) => bytes), good(9)]) batch.append(Buffer.from('k'), value, now);
  await (await client.producer()).send([{ topic: input.name, partition: 2, batch }]);

  const fatal = Promise.withResolvers<never>();
  const running = await startStreamApp({
    client,
    topology: buildTopology([copy], { app }),
    serdes,
    logger: silent,
    onFatal: (error) => fatal.reject(error),
  });
  t.after(async () => {
    await running.stop();
    await client.close();
  });
  const until = Date.now() + DEADLINE_MS;
  let out: Found[] = [];
  while (out.length < 2) {
    assert.ok(Date.now() < until, `${out.length} of 2 records came through`);
    out = await Promise.race([readAll(client, output.name), fatal.promise]);
  }
  const values = out.map(({ value }) => serde.deserialize(value));
  assert.deepEqual(values, [{ n: 1 }, { n: 9 }]);
  const letters = await readAll(client, deadLetterTopicOf(copy.name));
  assert.deepEqual(
    letters.map(({ code, value }) => [code, value.toString('hex')]),
    bad.map(([code, bytes]) => [code, bytes.toString('hex')]),
  );
});
