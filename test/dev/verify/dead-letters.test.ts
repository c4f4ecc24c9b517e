import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BatchBuilder, type KafkaClient } from '#topology';
import { FakeKafka } from '#topology/testing';
import { isRightLetters, reportLetters, verifyDeadLetters } from '../../../dev/verify/dead-letters.ts';

const TOPICS = ['bronze.app.pageviews.dlq', 'bronze.app.registrations.dlq', 'bronze.app.events.dlq'];

interface Letter {
  readonly topic: string;
  readonly id: string;
  readonly code: string;
}

const MANIFEST = [
  { id: 'a', kind: 'pageview', topic: 'bronze.app.pageviews', at: 1, flag: 'valid' },
  { id: 'b', kind: 'pageview', topic: 'bronze.app.pageviews', at: 1, flag: 'invalid:wrong-type' },
  { id: 'c', kind: 'registration', topic: 'bronze.app.registrations', at: 1, flag: 'invalid:missing-field' },
  { id: 'd', kind: 'cart_opened', topic: null, at: 1, flag: 'invalid:unknown-event' },
];
const RIGHT: readonly Letter[] = [
  { topic: 'bronze.app.pageviews.dlq', id: 'b', code: 'SLC_RECORD_TYPE' },
  { topic: 'bronze.app.registrations.dlq', id: 'c', code: 'SLC_RECORD_FIELDS' },
  { topic: 'bronze.app.events.dlq', id: 'd', code: 'SLC_RECORD_EVENT' },
];

async function send(client: KafkaClient, letters: readonly Letter[]): Promise<void> {
  const admin = await client.admin();
  await admin.ensureTopics(TOPICS.map((name) => ({ name, partitions: 1 })));
  const producer = await client.producer();
  for (const { topic, id, code } of letters) {
    const batch = new BatchBuilder();
    const value = JSON.stringify({ event: 'x', properties: { eventId: id } });
    batch.append(null, Buffer.from(value), 1, [['code', Buffer.from(code)]]);
    await producer.send([{ topic, partition: 0, batch }]);
  }
}

async function verify(letters: readonly Letter[], manifest: readonly object[] = MANIFEST) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-letters-'));
  const file = join(folder, 'manifest.ndjson');
  await writeFile(file, manifest.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const client = new FakeKafka().client();
  await send(client, letters);
  const result = await verifyDeadLetters(client, file, Date.now() + 10_000);
  await rm(folder, { recursive: true });
  return result;
}

test('exactly the spoiled events, each with its reason', async () => {
  const result = await verify(RIGHT);
  assert.deepEqual(result, { expected: 3, found: 3, missing: 0, extra: 0, again: 0, examples: [] });
  assert.ok(isRightLetters(result));
});

test('a missing letter, one with another reason, in another topic, or of a good event is found', async () => {
  const [b, c, d] = RIGHT as [Letter, Letter, Letter];
  assert.equal((await verify([b, c])).missing, 1);
  assert.equal((await verify([b, c, { ...d, code: 'SLC_RECORD_TYPE' }])).missing, 1);
  assert.equal((await verify([{ ...b, topic: d.topic }, c, d])).missing, 1);
  const withExtra = await verify([b, c, d, { ...b, id: 'a' }]);
  assert.equal(withExtra.extra, 1);
  assert.match(reportLetters(withExtra), /WRONG\n {2}a: /);
});

test('a letter that was sent again counts as one; no letter at all proves nothing', async () => {
  const [b] = RIGHT as [Letter];
  const result = await verify([...RIGHT, b]);
  assert.equal(result.again, 1);
  assert.ok(isRightLetters(result));
  assert.ok(!isRightLetters(await verify([], MANIFEST.slice(0, 1))));
});
