/** Which letters may go back where they came from. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchBuilder, buildTopology, originTopic, RecordCursor, RecordError, stage, topic } from '#topology';
import { FakeKafka } from '#topology/testing';
import { type RetryResult, retryLetters } from '../../../dev/inspect/retry.ts';
import { TaskOutput } from '../../../topology/runtime/task-output.ts';
import { parseFetched } from '../../../topology/record-batch.ts';

const definition = { type: 'record', name: 'V', fields: [{ name: 'who', type: 'string' }] };
const schema = { name: 'v', definition };
const shared = originTopic('bronze.shared', { value: schema, outOfOrderness: '10s' });
const own = originTopic('bronze.own', { value: schema, outOfOrderness: '10s' });
const clean = topic('silver.clean', { value: schema });
const gold = topic('gold.final', { value: schema });
const topology = buildTopology(
  [
    stage('silver.clean', (s) => {
      s.stream(shared).to(clean);
    }),
    stage('gold.final', (s) => {
      s.stream(clean).merge(s.stream(own)).merge(s.stream(shared)).to(gold);
    }),
  ],
  { app: 'app' },
);

describe('a retry', () => {
  async function retry(letters: readonly [stage: string, source: string][], alsoOthers: boolean): Promise<RetryResult> {
    const client = new FakeKafka().client();
    const admin = await client.admin();
    const names = [shared.name, own.name, clean.name, gold.name, 'x.dlq'];
    await admin.ensureTopics(names.map((name) => ({ name, partitions: 6 })));
    const producer = await client.producer();
    const batch = new BatchBuilder();
    for (const [i, [of, source]] of letters.entries()) {
      const headers = {
        stage: of,
        code: 'C',
        'source.topic': source,
        'source.partition': '0',
        'source.offset': String(i),
      };
      batch.append(
        null,
        Buffer.from('v'),
        i,
        Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]),
      );
    }
    await producer.send([{ topic: 'x.dlq', partition: 0, batch }]);
    const rest = { filter: {}, dryRun: false, limit: 100, deadline: Date.now() + 5_000 };
    return await retryLetters({ client, admin, topology, alsoOthers, ...rest });
  }

  test('goes to topics that nobody else would process again, and never between a writer and its readers', async () => {
    const letters: [string, string][] = [
      ['gold.final', own.name],
      ['silver.clean', shared.name],
      ['gold.final', clean.name],
      ['sink.warehouse', clean.name],
      ['sink.warehouse', gold.name],
    ];
    const careful = await retry(letters, false);
    assert.deepEqual(
      [...careful.bySource],
      [
        [own.name, 1],
        [gold.name, 1],
      ],
    );
    assert.deepEqual(
      [...careful.refused].map(([why, { count }]) => [why, count]),
      [
        ['other-readers', 1],
        ['derived-source', 2],
      ],
    );
    const bold = await retry(letters, true);
    assert.deepEqual(
      [bold.sent, [...bold.refused].map(([why, { count }]) => [why, count])],
      [3, [['derived-source', 2]]],
    );
  });

  test('a dead letter keeps the headers that its record had', () => {
    const batch = new BatchBuilder();
    batch.append(Buffer.from('k'), Buffer.from('v'), 5, [['trace', Buffer.from('1')]]);
    const cursor = new RecordCursor();
    const [fetched] = parseFetched(Buffer.from(batch.seal(-1n, 0, 0, false)), 0n, []).batches;
    assert.ok(fetched !== undefined);
    cursor.open(fetched);
    cursor.next();
    const added: { headers: readonly (readonly [string, Uint8Array | null])[] }[] = [];
    const collector = {
      add: (_topic: string, _partition: number, record: (typeof added)[number]) => void added.push(record),
    };
    new TaskOutput(collector as never, { names: { targets: new Map() }, floors: {} } as never, 3).deadLetter(
      's',
      't',
      cursor,
      new RecordError('SLC_RECORD_X', 'bad'),
    );
    const headers = added[0]?.headers.map(([name, value]) => [name, Buffer.from(value ?? []).toString()]) ?? [];
    assert.deepEqual(
      headers.filter(([name]) => name?.startsWith('source.')),
      [
        ['source.topic', 't'],
        ['source.partition', '3'],
        ['source.offset', '0'],
        ['source.header.trace', '1'],
      ],
    );
  });
});
