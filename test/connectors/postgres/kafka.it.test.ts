/** The sink stage over a real Kafka: transactions, some aborted; two processes that share the partitions, killed and stopped while records flow. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { createKafkaClient, type KafkaClient } from '#topology';
import { BatchBuilder, RecordCursor } from '../../../topology/record-batch.ts';
import { random, type Random } from '../../../topology/testing/random.ts';
import { seedOf } from '../sink.contract.ts';
import { PARTITIONS, positions, recordAt } from './flow.ts';
import { checkHistory, keepHistory, makeDatabase, makeSink, silent } from './harness.ts';

const child = new URL('kafka-child.ts', import.meta.url);

function broker(): string {
  const address = process.env['SLUICE_TEST_KAFKA'];
  if (address === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: `npm test` starts the parts and sets it');
  return address;
}

interface Written {
  /** Last value per key that PostgreSQL can hold, as `partition@offset`. */
  readonly rows: Map<string, string>;
  readonly bad: Set<string>;
  records: number;
  aborted: number;
}

/** Writes transactions until told to stop. */
async function write(client: KafkaClient, name: string, next: Random, more: () => boolean): Promise<Written> {
  const written: Written = { rows: new Map(), bad: new Set(), records: 0, aborted: 0 };
  const producer = await client.producer({ transactionalId: `${name}-writer` });
  await producer.fence();
  let n = 0;
  while (more()) {
    await producer.begin();
    const sent = Array.from({ length: PARTITIONS }, (_, partition) => {
      const records = Array.from({ length: next.int(1, 40) }, () => recordAt(partition, (n += 1)));
      const batch = new BatchBuilder();
      for (const [key, value] of records)
        batch.append(Buffer.from(key), value === null ? null : Buffer.from(value), 1_000);
      return { topic: name, partition, batch, records };
    });
    const results = await producer.send(sent);
    if (next.chance(0.1)) {
      await producer.abort();
      written.aborted += 1;
      continue;
    }
    await producer.commit();
    for (const [index, { partition, records }] of sent.entries()) {
      const base = Number(results[index]?.baseOffset);
      for (const [i, [key, value]] of records.entries()) {
        written.records += 1;
        const at = `${partition}@${base + i}`;
        if (value === null) written.rows.delete(key);
        else if (value.startsWith('no') || value.includes('poison')) written.bad.add(at);
        else written.rows.set(key, at);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, next.int(0, 20)));
  }
  await producer.close();
  return written;
}

async function deadLetters(client: KafkaClient, name: string): Promise<Set<string>> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: name, partition }));
  const admin = await client.admin();
  const ends = await admin.offsets(partitions, { committed: true });
  await admin.close();
  const reader = await client.reader({ committed: true });
  const found = new Set<string>();
  const cursor = new RecordCursor();
  const open = new Set<number>();
  for (const { partition } of partitions) {
    if ((ends[partition]?.end ?? 0n) === 0n) continue;
    open.add(partition);
    reader.seek({ topic: name, partition }, 'earliest');
  }
  while (open.size > 0) {
    for (const { partition, batches, nextOffset } of await reader.poll(200)) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next())
          found.add(`${cursor.header('source.partition')?.toString()}@${cursor.header('source.offset')?.toString()}`);
      }
      if (nextOffset >= (ends[partition]?.end ?? 0n)) open.delete(partition);
    }
  }
  await reader.close();
  return found;
}

test('a real Kafka: rebalances, stops and kill -9 while transactions flow', { timeout: 180_000 }, async (t) => {
  const name = `gold.numbers-${randomBytes(5).toString('hex')}`;
  const next = random(seedOf('sink over Kafka'));
  const database = await makeDatabase();
  const sink = makeSink(database);
  await sink.open();
  await sink.close();
  await keepHistory(database);
  const client = createKafkaClient({ brokers: [broker()], clientId: 'sink-test-writer', logger: silent });
  const admin = await client.admin();
  await admin.ensureTopics([{ name, partitions: PARTITIONS }]);
  const alive = new Set<ChildProcess>();
  const begin = async (): Promise<ChildProcess> => {
    const process = fork(child, [`url=${database.url}`, `brokers=${broker()}`, `name=${name}`]);
    alive.add(process);
    process.once('exit', () => alive.delete(process));
    await Promise.race([
      once(process, 'message'),
      once(process, 'exit').then(([code]) => assert.notEqual(code, 1, 'the process failed by itself')),
    ]);
    return process;
  };
  const end = async (process: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    const gone = once(process, 'exit');
    process.kill(signal);
    const [code] = await gone;
    if (signal === 'SIGTERM') assert.equal(code, 0);
  };
  t.after(async () => {
    await Promise.all([...alive].map((process) => end(process, 'SIGKILL')));
    await admin.deleteTopics([name, `sink.${name}.dlq`]).catch(() => undefined);
    await admin.close();
    await client.close();
    await database.close();
  });

  let writing = true;
  const writer = write(client, name, next, () => writing);
  const owners = [await begin(), await begin()];
  let kills = 0;
  for (let round = 0; kills < 4; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, next.int(300, 2_500)));
    const hard = round % 4 !== 3;
    const victim = owners.splice(next.int(0, owners.length - 1), 1)[0];
    if (victim !== undefined) await end(victim, hard ? 'SIGKILL' : 'SIGTERM');
    if (hard) kills += 1;
    owners.push(await begin());
  }
  writing = false;
  const written = await writer;
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: name, partition }));
  const ends = await admin.offsets(partitions, { committed: true });
  const deadline = Date.now() + 60_000;
  for (;;) {
    const at = await positions(database, name);
    if (ends.every(({ end }, partition) => at.get(partition) === Number(end))) break;
    assert.ok(
      Date.now() < deadline,
      `positions are ${[...at.values()].join()}, the ends ${ends.map(({ end }) => end).join()}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const rows = await database.query<{ key: string; at: string }>(
    "select key, _partition || '@' || _offset as at from gold.numbers",
  );
  assert.deepEqual(new Map(rows.map((row) => [row.key, row.at])), written.rows);
  await checkHistory(database);
  const letters = await deadLetters(client, `sink.${name}.dlq`);
  assert.deepEqual(letters, written.bad);
  console.log(
    `# ${kills} kills, ${written.records} records, ${written.aborted} aborted, ${written.bad.size} dead letters`,
  );
  assert.ok(written.aborted > 0);
});
