/** Flink as a second engine over a real run: the rows in Kafka are those that its windows give; one row that is changed there is noticed by it, too. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BatchBuilder, ConfigError, partitionFor, TIME_HEADER } from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { schemas } from '#schemas';
import { FLINK_TABLES, openFlink } from '../../dev/verify/flink/flink.ts';
import { decode, openSerdes } from '../../dev/verify/dump.ts';
import { rangesOf, readTopics } from '../../dev/verify/read-topics.ts';
import { Installation } from './installation.ts';
import { runRole, until } from './roles.ts';

const SIMULATION = ['--seconds', '12', '--seed', '11'];
const TABLE = 'gold.registrations_hourly';
const PARTITIONS = 6;

const missing = await openFlink((text) => console.error(text)).then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof ConfigError) return error.message;
    throw error;
  },
);

describe(
  `Flink over a real run${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  { skip: missing, timeout: 40 * 60_000 },
  () => {
    let shop: Installation;
    before(async () => {
      shop = await Installation.start();
      const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
      assert.equal(prepared.code, 0, prepared.output);
      await Promise.all(['sources', 'run', 'sinks'].map((name) => shop.role(name).ready()));
      const simulator = shop.role('simulate', SIMULATION);
      await until('the simulator', 400_000, () => simulator.done);
    });
    after(() => shop?.close());

    const verify = (): ReturnType<typeof runRole> =>
      runRole('verify', ['--flink', '--min-rows', '8', '--timeout', '900'], shop.env);

    test('its windows and sessions are the rows in Kafka', async () => {
      const { code, output } = await verify();
      console.error(
        output
          .split('\n')
          .filter((line) => /by Flink/.test(line))
          .join('\n'),
      );
      assert.equal(code, 0, output);
      for (const table of FLINK_TABLES) assert.match(output, new RegExp(`${table} +Kafka, by Flink +\\d+.* ok\n`));
    });

    test('a row that is changed in Kafka is noticed by it', async () => {
      const serdes = createAvroSerdes({ registryUrl: shop.env['SLUICE_REGISTRY'] ?? '' });
      const reading = { client: shop.client, serdes, schemas, app: 'shop', deadline: Date.now() + 60_000 };
      const read = await openSerdes(reading, TABLE);
      const rows: { key: Buffer; timestamp: number; time: Buffer; value: { registrations: number } }[] = [];
      await readTopics(shop.client, await rangesOf(shop.admin, [TABLE]), reading.deadline, (_, cursor) => {
        const decoded = decode(read, cursor);
        if (decoded instanceof Promise) return decoded;
        const [key, time] = [cursor.keyBytes(), cursor.header(TIME_HEADER)];
        if (key === null || time === null) return undefined;
        const value = decoded?.value as { registrations: number };
        rows.push({ key: Buffer.from(key), timestamp: cursor.timestamp, time: Buffer.from(time), value });
        return undefined;
      });
      const row = rows.at(-1);
      assert.ok(row !== undefined);
      const write = await serdes.open(`${TABLE}-value`, schemas[TABLE], { write: true });
      const batch = new BatchBuilder();
      const value = write.serialize({ ...row.value, registrations: 999_999 } as never);
      batch.append(row.key, value, row.timestamp, [[TIME_HEADER, row.time]]);
      const producer = await shop.client.producer();
      await producer.send([{ topic: TABLE, partition: partitionFor(row.key, PARTITIONS), batch }]);
      await producer.close();
      const { code, output } = await verify();
      assert.equal(code, 1, output);
      assert.match(output, /gold\.registrations_hourly +Kafka, by Flink .* WRONG\n/);
      assert.match(output, /gold\.registrations_hourly in Kafka, by Flink:\n +differs .*999999/);
      assert.match(output, /silver\.sessions +Kafka, by Flink .* ok\n/);
    });
  },
);
