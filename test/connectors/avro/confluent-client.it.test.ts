/**
 * Topics and schemas as another client reads them, Confluent's own for Python: what Redpanda Console shows comes by the same protocols. It is installed
 * by pip the first time.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { BatchBuilder, createKafkaClient, partitionFor } from '#topology';
import { schemas } from '#schemas';
import { createAvroSerdes } from '../../../connectors/avro/index.ts';
import { findPython } from '../../../dev/parts/python.ts';

const SCRIPT = join(import.meta.dirname, 'read-topic.py');
const PARTITIONS = 3;
const RECORDS = 60;
const START = Date.UTC(2026, 0, 31, 23, 59, 59, 123);
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const python = await findPython([
  'confluent-kafka==2.16.0',
  'anyio==4.16.0',
  'Authlib==1.9.9',
  'avro==1.12.2',
  'cachetools==8.0.1',
  'fastavro==1.13.1',
  'h11==0.16.0',
  'httpcore2==2.16.2',
  'httpx2==2.16.2',
  'idna==3.20',
  'joserfc==1.8.0',
  'truststore==0.10.5',
  'typing_extensions==4.16.0',
]);
const skipped = python.missing === undefined ? '' : ` (skipped: ${python.missing})`;

interface Reading {
  readonly subjects: readonly string[];
  readonly records: readonly {
    readonly partition: number;
    readonly timestamp: number;
    readonly key: string;
    readonly value: Readonly<Record<string, unknown>> | null;
  }[];
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: \`npm test\` starts the parts and sets it`);
  return value;
}

test(
  `Confluent's client reads what was committed, decoded, and nothing else${skipped}`,
  { skip: python.missing },
  async (t) => {
    assert.ok(python.missing === undefined);
    const [brokers, registryUrl] = [required('SLUICE_TEST_KAFKA'), required('SLUICE_TEST_REGISTRY')];
    const topic = `confluent-${randomUUID().slice(0, 8)}.sales`;
    const client = createKafkaClient({ brokers: brokers.split(','), clientId: topic, logger: silent });
    t.after(() => client.close());
    await (await client.admin()).ensureTopics([{ name: topic, partitions: PARTITIONS }]);
    const schema = schemas['gold.sales_perf_24h'];
    const serde = await createAvroSerdes({ registryUrl }).open(`${topic}-value`, schema, { write: true });
    const producer = await client.producer({ transactionalId: topic });
    const valueOf = (n: number) => ({
      windowStart: START + n,
      windowEnd: START + n + 1,
      category: `Müller & Söhne ${n}`,
      country: n % 2 === 0 ? 'DE' : 'unknown',
      orders: n,
      units: 2 ** 51 + n,
      revenue: BigInt(n) * 10n ** 12n + 5n,
      averageOrderValue: 1_050n,
    });
    // Every third transaction is aborted: what it wrote must not be seen.
    const wanted = new Map<string, number>();
    for (let n = 0; n < RECORDS; n++) {
      const key = `k${n}`;
      const partition = partitionFor(Buffer.from(key), PARTITIONS);
      const batch = new BatchBuilder();
      batch.append(Buffer.from(key), n % 10 === 9 ? null : serde.serialize(valueOf(n)), START + n);
      await producer.begin();
      await producer.send([{ topic, partition, batch }]);
      if (n % 3 === 2) await producer.abort();
      else await producer.commit();
      if (n % 3 !== 2) wanted.set(key, n);
    }
    await producer.close();

    const { records, subjects } = JSON.parse(await python.script(SCRIPT, [brokers, registryUrl, topic])) as Reading;
    console.log(`# ${records.length} of ${RECORDS} records were committed`);
    assert.ok(subjects.includes(`${topic}-value`));
    assert.equal(records.length, wanted.size);
    for (const { key, partition, timestamp, value } of records) {
      const n = wanted.get(key);
      assert.ok(n !== undefined, `${key} was aborted`);
      assert.equal(partition, partitionFor(Buffer.from(key), PARTITIONS));
      assert.equal(timestamp, START + n);
      if (n % 10 === 9) assert.equal(value, null);
      else {
        const { windowStart, category, units, revenue } = value ?? {};
        const cents = valueOf(n).revenue;
        assert.deepEqual(
          { windowStart: Date.parse(String(windowStart)), category, units, revenue },
          {
            windowStart: START + n,
            category: valueOf(n).category,
            units: valueOf(n).units,
            revenue: `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`,
          },
        );
      }
    }
  },
);
