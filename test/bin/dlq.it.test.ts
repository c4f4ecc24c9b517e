/** `sluice dlq` on a real Kafka: letters are counted, shown and sent back, each once, with a kill between send and commit. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { BatchBuilder, createKafkaClient, type KafkaAdmin, type KafkaClient, type RecordHeader } from '#topology';
import { rangesOf, readTopics } from '../../dev/verify/read-topics.ts';
import { encodeTime } from '../../topology/time/time-header.ts';
import { originCoordinate } from '../../topology/time/coordinate.ts';
import { undocumented } from '../docs/fields.ts';
import { answer, lines, sluice } from './cli.ts';

const kafka = process.env['SLUICE_TEST_KAFKA'];
if (kafka === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts the parts and sets it');
const env = { SLUICE_KAFKA: kafka };
const CHILD = join(import.meta.dirname, '..', 'dev', 'inspect', 'retry-child.ts');
const PARTITIONS = 3;

interface Back {
  readonly place: string;
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
  readonly headers: readonly string[];
}

interface Retried {
  readonly sent: number;
  readonly to: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, { readonly count: number; readonly examples: readonly string[] }>>;
}

describe('dlq', () => {
  const app = `dlq-${randomUUID().slice(0, 8)}`;
  let client: KafkaClient;
  let admin: KafkaAdmin;
  const made: string[] = [];

  before(async () => {
    client = createKafkaClient({ brokers: kafka.split(','), clientId: app, logger: pino({ level: 'silent' }) });
    admin = await client.admin();
  });
  after(async () => {
    await admin.deleteTopics(made);
    await client.close();
  });

  const letterHeaders = (stage: string, code: string, source: string | undefined, n: number): RecordHeader[] => [
    ['stage', Buffer.from(stage)],
    ['code', Buffer.from(code)],
    ['reason', Buffer.from(`record ${n} is bad`)],
    ['stack', Buffer.from('RecordError: bad\n    at x')],
    ...(source === undefined
      ? []
      : ([
          ['source.topic', Buffer.from(source)],
          ['source.partition', Buffer.from(String((n + 1) % PARTITIONS))],
          ['source.offset', Buffer.from(String(n * 10))],
          ['source.header.trace', Buffer.from(`t${n}`)],
          ['source.header.sluice-time', encodeTime({ originWatermark: 5, coordinate: originCoordinate(0, 1, 2) })],
        ] as const)),
  ];

  /** Letters 0 to count - 1 of a stage; code by n % 3 (B, A, A), partition n % 2. One in nine came from outside. */
  async function stageWithLetters(name: string, count: number): Promise<{ stage: string; source: string }> {
    const stage = `${app}.${name}`;
    const source = `${stage}.source`;
    await admin.ensureTopics([
      { name: `${stage}.dlq`, partitions: 2 },
      { name: source, partitions: PARTITIONS },
    ]);
    made.push(`${stage}.dlq`, source);
    const producer = await client.producer({ transactionalId: `${stage}-writer` });
    await producer.fence();
    // Several transactions: markers lie between the letters.
    for (let from = 0; from < count; from += 7) {
      await producer.begin();
      for (let n = from; n < Math.min(count, from + 7); n++) {
        const batch = new BatchBuilder();
        const headers = letterHeaders(
          stage,
          n % 3 === 0 ? 'SLC_RECORD_B' : 'SLC_RECORD_A',
          n % 9 === 8 ? undefined : source,
          n,
        );
        batch.append(Buffer.from(`k${n}`), n % 10 === 0 ? null : Buffer.from([0, 255, n % 256]), 1_000 + n, headers);
        await producer.send([{ topic: `${stage}.dlq`, partition: n % 2, batch }]);
      }
      await producer.commit();
    }
    await producer.close();
    return { stage, source };
  }

  /** What is in the source topic, by key. */
  async function back(source: string): Promise<Back[]> {
    const found: Back[] = [];
    await readTopics(client, await rangesOf(admin, [source]), Date.now() + 20_000, ({ partition }, cursor) => {
      found.push({
        place: String(partition),
        key: cursor.keyBytes()?.toString() ?? '',
        value: cursor.valueBytes()?.toString('hex') ?? null,
        timestamp: cursor.timestamp,
        headers: cursor.headers().map(([name]) => name),
      });
      return undefined;
    });
    return found.toSorted((a, b) => a.timestamp - b.timestamp);
  }

  const expected = (ns: readonly number[]): Back[] =>
    ns.map((n) => ({
      place: String((n + 1) % PARTITIONS),
      key: `k${n}`,
      value: n % 10 === 0 ? null : Buffer.from([0, 255, n % 256]).toString('hex'),
      timestamp: 1_000 + n,
      headers: ['trace', 'sluice-time', 'sluice-retry'],
    }));
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  const dlq = async <T>(verb: string, stage: string, ...args: string[]): Promise<T> =>
    answer<T>(await sluice(['dlq', verb, '--app', app, '--stage', stage, '--json', ...args], env));

  test('list counts by stage and code; show has the original bytes, headers and reason', async () => {
    const { stage, source } = await stageWithLetters('list', 40);
    const { letters } = await dlq<{ letters: Record<string, unknown>[] }>('list', stage);
    assert.deepEqual(
      letters.map(({ stage: of, code, count, retried, retriable }) => [of, code, count, retried, retriable]),
      [
        [stage, 'SLC_RECORD_A', 26, 0, 22],
        [stage, 'SLC_RECORD_B', 14, 0, 14],
      ],
    );
    assert.equal(letters[1]?.['newest'], new Date(1_039).toISOString());
    const shown = await sluice(
      ['dlq', 'show', '--stage', stage, '--limit', '2', '--json', '--code', 'SLC_RECORD_B'],
      env,
    );
    const [, last] = lines<Record<string, unknown>>(shown);
    assert.deepEqual(undocumented('dlq', [letters, last]), []);
    const { offset, ...rest } = last ?? {};
    assert.equal(typeof offset, 'number');
    assert.deepEqual(rest, {
      topic: `${stage}.dlq`,
      partition: 1,
      timestamp: new Date(1_039).toISOString(),
      stage,
      code: 'SLC_RECORD_B',
      reason: 'record 39 is bad',
      source: { topic: source, partition: 1, offset: 390 },
      retried: false,
      key: 'k39',
      keyForm: 'text',
      keyHex: Buffer.from('k39').toString('hex'),
      value: '00ff27',
      valueForm: 'hex',
      valueHex: '00ff27',
      problem: 'neither Avro nor text',
      headers: {
        stage,
        code: 'SLC_RECORD_B',
        reason: 'record 39 is bad',
        stack: 'RecordError: bad\n    at x',
        'source.topic': source,
        'source.partition': '1',
        'source.offset': '390',
      },
      sourceHeaders: {
        trace: 't39',
        'sluice-time': {
          originWatermark: new Date(5).toISOString(),
          origin: 'topic number 0-1@2',
          coordinate: originCoordinate(0, 1, 2).toString('hex'),
        },
      },
    });
  });

  test('retry by code, by offset, with a limit, then all: each letter once, as it was', async () => {
    const { stage, source } = await stageWithLetters('retry', 60);
    const sendable = upTo(60).filter((n) => n % 9 !== 8);
    const dry = await dlq<Retried>('retry', stage, '--dry-run');
    assert.deepEqual(undocumented('dlq', dry), []);
    assert.deepEqual([dry.sent, dry.refused['no-source']?.count, await back(source)], [sendable.length, 6, []]);
    const b = sendable.filter((n) => n % 3 === 0);
    assert.deepEqual((await dlq<Retried>('retry', stage, '--code', 'SLC_RECORD_B')).to, { [source]: b.length });
    assert.deepEqual(await back(source), expected(b));
    assert.equal((await dlq<Retried>('retry', stage, '--limit', '5')).sent, 5);
    assert.equal((await dlq<Retried>('retry', stage)).sent, sendable.length - b.length - 5);
    assert.deepEqual(await back(source), expected(sendable));
    assert.equal((await dlq<Retried>('retry', stage)).sent, 0);
    const { letters } = await dlq<{ letters: Record<string, unknown>[] }>('list', stage);
    assert.equal(
      letters.reduce((sum, { retried }) => sum + Number(retried), 0),
      sendable.length,
    );
  });

  test('one letter by its place', async () => {
    const { stage, source } = await stageWithLetters('one', 10);
    const shown = await sluice(['dlq', 'show', '--stage', stage, '--limit', '100', '--json'], env);
    const seven = lines<{ key: string; partition: number; offset: number }>(shown).find(({ key }) => key === 'k7');
    const place = `${seven?.partition}@${seven?.offset}`;
    assert.equal((await dlq<Retried>('retry', stage, '--offset', place)).sent, 1);
    assert.deepEqual(await back(source), expected([7]));
    assert.equal((await dlq<Retried>('retry', stage, '--offset', place)).sent, 0);
  });

  for (const nth of [1, 2]) {
    test(`killed between send and commit ${nth}: the next run sends all, each once`, async () => {
      // More than one transaction per partition.
      const { stage, source } = await stageWithLetters(`kill-${nth}`, 1_300);
      const sendable = upTo(1_300).filter((n) => n % 9 !== 8);
      const child = fork(CHILD, [kafka, app, stage, String(nth)], { stdio: 'inherit' });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
      const { sent } = await dlq<Retried>('retry', stage);
      assert.equal(sent, nth === 1 ? sendable.length : sendable.length - 500);
      assert.deepEqual(await back(source), expected(sendable));
    });
  }

  test('late list, and a stage that there is not', async () => {
    const topic = `${app}.list.late`;
    await admin.ensureTopics([{ name: topic, partitions: 1 }]);
    made.push(topic);
    const producer = await client.producer();
    const batch = new BatchBuilder();
    for (const [i, latenessMs] of [1_000, 3_000].entries()) {
      const late = {
        stage: `${app}.list`,
        reason: 'window closed',
        latenessMs,
        windowStart: 0,
        windowEnd: 60_000,
        key: 'k',
      };
      batch.append(
        null,
        Buffer.from(JSON.stringify({ ...late, value: { i }, timestamp: i, originWatermark: 70_000 })),
        i,
      );
    }
    await producer.send([{ topic, partition: 0, batch }]);
    await producer.close();
    const found = answer<{ late: unknown; newest: { place: string; value: unknown }[] }>(
      await sluice(['late', 'list', '--stage', `${app}.list`, '--json'], env),
    );
    assert.deepEqual(undocumented('late list', found), []);
    const iso = (ms: number): string => new Date(ms).toISOString();
    assert.deepEqual(found.late, [
      {
        stage: `${app}.list`,
        reason: 'window closed',
        count: 2,
        mostLateMs: 3_000,
        meanLateMs: 2_000,
        oldest: iso(0),
        newest: iso(1),
      },
    ]);
    assert.deepEqual(
      found.newest.map(({ place, value }) => [place, value]),
      [
        [`${topic}-0@0`, { i: 0 }],
        [`${topic}-0@1`, { i: 1 }],
      ],
    );
    const wrong = await sluice(['dlq', 'list', '--stage', `${app}.lisst`], env);
    assert.deepEqual(
      [wrong.code, /SLC_INSPECT_STAGE/.test(wrong.err), wrong.err.includes(`${app}.list`)],
      [1, true, true],
    );
  });
});
