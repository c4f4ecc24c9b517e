/** A real application on a real broker, killed again and again: every window once, with the right number. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  createKafkaClient,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  partitionFor,
  RecordCursor,
} from '#topology';
import { randomOf } from '../../random.ts';
import { clickTopics, type Minute, type UserMinute } from './app-child.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const PARTITIONS = 6;
const USERS = 40;
const RECORDS = 24_000;
const START = Date.UTC(2026, 0, 5, 10);
const DEADLINE_MS = 90_000;

interface ChildStats {
  readonly type: string;
  readonly restored?: number;
  readonly commits?: number;
}

describe('an application on Kafka', () => {
  const app = `clicks-${randomUUID().slice(0, 8)}`;
  const topics = clickTopics(app);
  const logger = pino({ level: 'silent' });
  let client: KafkaClient;
  let admin: KafkaAdmin;
  let producer: KafkaProducer;
  let child: ChildProcess | undefined;
  let restored = 0;
  let commits = 0;

  before(async () => {
    client = createKafkaClient({ brokers: brokers.split(','), clientId: 'test', logger });
    admin = await client.admin();
    await admin.ensureTopics([
      { name: topics.clicks.name, partitions: PARTITIONS },
      { name: HINTS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
    ]);
    producer = await client.producer();
  });
  after(async () => {
    child?.kill('SIGKILL');
    await client.close();
  });

  function startApp(): ChildProcess {
    const env = { ...process.env, TEST_APP: app, TEST_KAFKA: brokers };
    const started = fork(join(import.meta.dirname, 'app-child.ts'), {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    let most = 0;
    started.on('message', (message: ChildStats) => {
      if (message.type !== 'stats') return;
      restored = Math.max(restored, message.restored ?? 0);
      commits += Math.max(0, (message.commits ?? 0) - most);
      most = Math.max(most, message.commits ?? 0);
    });
    return started;
  }

  const exited = (one: ChildProcess): Promise<void> => new Promise((resolve) => void one.once('exit', () => resolve()));

  async function send(records: readonly { readonly user: string; readonly at: number }[]): Promise<void> {
    const builders = Array.from({ length: PARTITIONS }, () => new BatchBuilder());
    for (const { user, at } of records) {
      const key = Buffer.from(randomUUID());
      builders[partitionFor(key, PARTITIONS)]?.append(key, Buffer.from(JSON.stringify({ user })), at);
    }
    const batches = builders.flatMap((batch, partition) =>
      batch.count === 0 ? [] : [{ topic: topics.clicks.name, partition, batch }],
    );
    await producer.send(batches);
  }

  async function sayComplete(m: number): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: topics.clicks.name, partition }));
    const offsets = await admin.offsets(partitions, { committed: true });
    const batch = new BatchBuilder();
    for (const [partition, { end }] of offsets.entries()) {
      const hint = encodeHint({
        writer: 'test',
        topic: topics.clicks.name,
        partition,
        m,
        endOffset: end,
        at: Date.now(),
      });
      batch.append(hint.key, hint.value, Date.now());
    }
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  async function eventually(what: string, condition: () => boolean): Promise<void> {
    const end = Date.now() + DEADLINE_MS;
    while (!condition()) {
      assert.ok(Date.now() < end, `no ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function outputs<V>(topic: string): Promise<V[]> {
    const reader = await client.reader({ committed: true });
    const open = new Set(Array.from({ length: PARTITIONS }, (_, partition) => partition));
    for (const partition of open) reader.seek({ topic, partition }, 'earliest');
    const cursor = new RecordCursor();
    const values: V[] = [];
    while (open.size > 0) {
      for (const { partition, batches, nextOffset, endOffset } of await reader.poll(50)) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) values.push(JSON.parse(cursor.valueBytes()?.toString() ?? 'null') as V);
        }
        if (nextOffset >= endOffset) open.delete(partition);
      }
    }
    await reader.close();
    return values;
  }

  test('kill -9 at random moments: each window is there once, with the right number', async () => {
    const { random, seed } = randomOf('stream-app');
    const expected = new Map<string, number>();
    const minutes = new Map<string, number>();
    const kills = [Math.floor(RECORDS * 0.67), Math.floor(RECORDS * 0.37)];
    child = startApp();
    for (let sent = 0; sent < RECORDS;) {
      const records = Array.from({ length: 400 }, (_, i) => {
        const user = `user-${Math.floor(random() * USERS)}`;
        const at = START + Math.floor(((sent + i) * 600_000) / RECORDS) - Math.floor(random() * 4_000);
        const start = at - (at % 60_000);
        const key = `${start}|${user}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
        minutes.set(String(start), (minutes.get(String(start)) ?? 0) + 1);
        return { user, at };
      });
      await send(records);
      sent += records.length;
      // Twice for sure, in the middle of the windows; else when it comes.
      const inTheMiddle = kills.at(-1) !== undefined && sent >= (kills.at(-1) ?? 0);
      if (inTheMiddle) {
        kills.pop();
        await eventually('commits', () => commits > 10);
      }
      if (inTheMiddle || (commits > 0 && random() < 0.05)) {
        child.kill('SIGKILL');
        await exited(child);
        child = startApp();
        commits = 0;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await sayComplete(START + 3_600_000);
    const until = Date.now() + DEADLINE_MS;
    let found: Minute[] = [];
    while (found.length < minutes.size && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      found = await outputs<Minute>(topics.minutes.name);
    }
    const users = await outputs<UserMinute>(topics.users.name);
    const text = `seed ${seed}`;
    assert.ok(expected.size > 0);
    assert.deepEqual(
      users.map(({ start, user, clicks }) => `${start}|${user}=${clicks}`).toSorted(),
      [...expected].map(([key, clicks]) => `${key}=${clicks}`).toSorted(),
      text,
    );
    assert.deepEqual(
      found.map(({ start, clicks }) => `${start}=${clicks}`).toSorted(),
      [...minutes].map(([key, clicks]) => `${key}=${clicks}`).toSorted(),
      text,
    );
    assert.ok(restored > 0, 'no state was restored: nothing was killed at the right time');
    process.stderr.write(
      `${users.length} + ${found.length} windows compared, ${restored} changelog records restored\n`,
    );
  });

  test('an orderly stop commits what was processed, and ends within seconds', async () => {
    assert.ok(child);
    child.kill('SIGTERM');
    await exited(child);
    assert.equal(child.exitCode, 0);
  });
});
