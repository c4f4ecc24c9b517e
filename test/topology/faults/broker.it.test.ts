/** What a broker does to an application: it goes on by itself, exactly, or ends with one clear error; it never hangs and never writes what is wrong. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Kafka } from 'kafkajs';
import { brokerRun } from './broker-run.ts';
import { FaultRun, PARTITIONS, type Worker } from './fault-run.ts';
import { OwnBroker } from './own-broker.ts';

const RECORDS = 9_000;
const PER_SECOND = 900;
const AWAY_MS = 15_000;

describe('a broker', { timeout: 300_000 }, () => {
  let broker: OwnBroker;
  before(async () => {
    broker = await OwnBroker.start();
  });
  after(() => broker.close());

  test('that ends by SIGTERM, by SIGKILL, and stays away for 15 s: waited for, and every window is exact', async (t) => {
    const run = new FaultRun('broker', broker.address, RECORDS);
    t.after(() => run.close());
    await brokerRun(run, broker, { awayMs: AWAY_MS, perSecond: PER_SECOND });
  });

  describe('ends the application with one clear error', { concurrency: true }, () => {
    async function running(t: TestContext, name: string): Promise<{ run: FaultRun; worker: Worker }> {
      const run = new FaultRun(name, broker.address, 1_000);
      t.after(() => run.close());
      await run.open();
      run.feed(1, 1_000);
      const [worker] = await run.startAll(1);
      assert.ok(worker);
      await run.until('half of the input', 60_000, async () => (await run.committed()) > 0.5);
      await run.until('all input to be sent', 60_000, () => run.sent === run.records);
      return { run, worker };
    }

    /** The last line of its log, once it has ended by itself. */
    async function lastWord(run: FaultRun, worker: Worker): Promise<{ code?: string; hint?: string; level?: number }> {
      await run.until('the application to end by itself', 60_000, () => !worker.runs);
      await worker.exited;
      const lines = worker.log.trim().split('\n');
      const fatal = lines.map((line) => JSON.parse(line) as { code?: string; hint?: string; level?: number });
      assert.equal(fatal.filter(({ level }) => level === 60).length, 1, worker.log);
      return fatal.find(({ level }) => level === 60) ?? {};
    }

    test('when its input is deleted', async (t) => {
      const { run, worker } = await running(t, 'deleted');
      await run.admin.deleteTopics([run.topics.clicks.name]);
      const { code, hint } = await lastWord(run, worker);
      assert.equal(code, 'SLC_APP_TOPIC_GONE');
      assert.ok(hint);
    });

    test('when its input gets a partition', async (t) => {
      const { run, worker } = await running(t, 'grown');
      const kafkajs = createRequire(import.meta.url)('kafkajs') as { Kafka: new (options: object) => Kafka };
      const admin = new kafkajs.Kafka({ brokers: [broker.address], logLevel: 0 }).admin();
      await admin.connect();
      await admin.createPartitions({ topicPartitions: [{ topic: run.topics.clicks.name, count: PARTITIONS + 1 }] });
      await admin.disconnect();
      const { code, hint } = await lastWord(run, worker);
      assert.equal(code, 'SLC_APP_TOPIC_PARTITIONS');
      assert.ok(hint);
    });

    test('when a byte on its disk has changed', async (t) => {
      const run = new FaultRun('flipped', broker.address, 1_000);
      t.after(() => run.close());
      await run.open();
      run.feed(1, 10_000);
      await run.until('all input to be sent', 60_000, () => run.sent === run.records);
      const file = await open(broker.segmentOf(run.topics.clicks.name, 2), 'r+');
      const { size } = await file.stat();
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, size - 3);
      byte[0] = (byte[0] ?? 0) ^ 4;
      await file.write(byte, 0, 1, size - 3);
      await file.close();
      const worker = run.start();
      const { code, hint } = await lastWord(run, worker);
      assert.equal(code, 'SLC_TASK_UNREADABLE');
      assert.ok(hint);
      assert.match(
        worker.log,
        new RegExp(`${run.topics.clicks.name}-2: the batch at offset \\d+ has a wrong checksum`),
      );
    });
  });
});
