/**
 * A replay knows what live knew when its plan was frozen, no more and no less: no hint that came since, every pin up to the last, and no record behind
 * the end, though it lies in the batch that holds the end.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  finishReplay,
  hearReplay,
  HINTS_TOPIC,
  joinReplay,
  keyBy,
  mapValues,
  openReplay,
  RecordCursor,
  type ReplayConfig,
  type ReplayRequest,
  type ReplayWorker,
  stage,
  startReplay,
  startStreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { derived, jsonSerdes, MINUTE, named, origin, SECOND } from '../dsl/support.ts';

const PARTITIONS = [0, 1];
const FAST = { commitIntervalMs: 10, minCommitIntervalMs: 1 } as const;
const clicks = origin<{ who: string }>('clicks', PARTITIONS.length);
const clean = derived<{ who: string }>('clean', PARTITIONS.length);
const hourly = derived<{ n: number }>('hourly', PARTITIONS.length);
const live = buildTopology(
  [
    stage('clean', (s) => {
      s.stream(clicks).to(clean);
    }),
    stage('hourly', (s) => {
      const windows = s.stream(clean).pipe(
        keyBy((r) => r.value.who),
        windowedBy(tumbling({ size: '1h', grace: '5m' })),
        count({ store: 'hourly', emit: 'final' }),
        mapValues((n) => ({ n })),
      );
      named(windows).to(hourly);
    }),
  ],
  { app: 'app' },
);
const shared = { serdes: jsonSerdes, logger: pino({ level: 'silent' }), options: FAST };

describe('a frozen replay', () => {
  let broker: FakeKafka;
  let fatal: Error[];
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    broker = new FakeKafka();
    fatal = [];
    const admin = await broker.client().admin();
    await admin.ensureTopics([
      { name: HINTS_TOPIC, partitions: 1 },
      { name: clicks.name, partitions: PARTITIONS.length },
    ]);
    await admin.close();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function append(topic: string, partition: number, add: (batch: BatchBuilder) => void): Promise<void> {
    const producer = await broker.client().producer();
    const batch = new BatchBuilder();
    add(batch);
    await producer.send([{ topic, partition, batch }]);
    await producer.close();
  }

  /** One batch. */
  const click = (partition: number, ...minutes: number[]): Promise<void> =>
    append(clicks.name, partition, (batch) => {
      for (const minute of minutes)
        batch.append(Buffer.from('k'), Buffer.from(JSON.stringify({ who: `p${partition}` })), minute * MINUTE);
    });

  /** Everything of the partition up to its present end is there up to this minute. */
  const complete = (partition: number, minute: number): Promise<void> => {
    const endOffset = broker.partition({ topic: clicks.name, partition }).end(true);
    const m = minute * MINUTE - 10 * SECOND;
    const hint = { writer: 'phones', topic: clicks.name, partition, m, endOffset, at: Date.now() };
    const { key, value } = encodeHint(hint);
    return append(HINTS_TOPIC, 0, (batch) => batch.append(key, value, hint.at));
  };

  async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 20_000; !(await condition());) {
      assert.ok(Date.now() < end, `${what} ${fatal.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Live reads everything that is there, and stops. */
  async function runLive(): Promise<void> {
    const onFatal = (error: Error): unknown => fatal.push(error);
    const app = await startStreamApp({ ...shared, client: broker.client(), topology: live, onFatal });
    closers.push(() => app.stop());
    await until('live is done', () => app.settled());
    await app.stop();
  }

  async function replay(id: string, range: Partial<ReplayRequest> = {}): Promise<void> {
    const request: ReplayRequest = { id, stages: 'all', from: 'earliest', to: 'now', ...range };
    const onFatal = (error: Error): unknown => fatal.push(error);
    const run = await startReplay({ ...shared, client: broker.client(), live, request, onFatal });
    closers.push(() => run.stop());
    assert.equal(await run.done, true);
    assert.deepEqual(fatal, []);
  }

  /** `key value timestamp` of each committed record, sorted. */
  function rows(topic: string): string[] {
    const found: string[] = [];
    const cursor = new RecordCursor();
    for (const partition of PARTITIONS) {
      const tp = { topic, partition };
      for (const batch of broker.partition(tp).fetch(tp, 0n, true, 2 ** 30)?.batches ?? []) {
        cursor.open(batch);
        while (cursor.next())
          found.push([String(cursor.keyBytes()), String(cursor.valueBytes()), cursor.timestamp].join(' '));
      }
    }
    return found.sort();
  }

  const lateOf = (stage: string): number => rows(`${stage}.late`).length;

  /** Clocks of the inputs as an application has committed them. */
  async function clocks(app: string): Promise<string[]> {
    const admin = await broker.client().admin();
    const partitions = PARTITIONS.map((partition) => ({ topic: clicks.name, partition }));
    const committed = await admin.committedOffsets(app, partitions);
    await admin.close();
    return committed.map(({ partition, offset, metadata }) => `${partition}@${offset} ${metadata}`).sort();
  }

  /** Hours 0 and 1 are closed by hints, hour 2 is open; a record of hour 0 comes after its pin. */
  async function liveRun(): Promise<void> {
    for (const partition of PARTITIONS) await click(partition, 1, 2, 61, 62);
    for (const partition of PARTITIONS) await complete(partition, 70);
    await runLive();
    await click(0, 3, 121);
    await click(1, 122);
    for (const partition of PARTITIONS) await complete(partition, 130);
    await runLive();
    assert.deepEqual([rows(hourly.name).length, lateOf('hourly')], [4, 1], 'the log shows what it is to show');
  }

  test('reads no hint: time that live has not heard of before the plan does not pass', async () => {
    await liveRun();
    for (const partition of PARTITIONS) await complete(partition, 1_000);
    await replay('v2');
    assert.deepEqual(rows('hourly.v2'), rows(hourly.name));
    assert.deepEqual(await clocks('app.replay.v2'), await clocks('app'));
  });

  test('has every pin, up to the last of each partition: windows that a hint has closed, records that it made late', async () => {
    await liveRun();
    await replay('v2');
    assert.deepEqual(rows('hourly.v2'), rows(hourly.name));
    assert.deepEqual(rows('clean.v2'), rows(clean.name));
    assert.equal(lateOf('hourly.v2'), 1);
    assert.deepEqual(await clocks('app.replay.v2'), await clocks('app'));
  });

  test('live that goes on changes nothing of a plan: its later pins, hints and records are not read', async () => {
    await liveRun();
    const frozen = { hourly: rows(hourly.name), clocks: await clocks('app') };
    const request: ReplayRequest = { id: 'v2', stages: 'all', from: 'earliest', to: 'now' };
    const first = await startReplay({
      ...shared,
      client: broker.client(),
      live,
      request,
      onFatal: (error) => fatal.push(error),
    });
    await first.stop();
    // A pin at the frozen end itself, then records behind it.
    for (const partition of PARTITIONS) await complete(partition, 170);
    await runLive();
    for (const partition of PARTITIONS) await click(partition, 123, 181);
    for (const partition of PARTITIONS) await complete(partition, 400);
    await runLive();
    assert.ok(rows(hourly.name).length > frozen.hourly.length);
    await replay('v2');
    assert.deepEqual(rows('hourly.v2'), frozen.hourly);
    assert.deepEqual(await clocks('app.replay.v2'), frozen.clocks);
  });

  test('in two processes, of which one ends and another comes: as in one', async () => {
    await liveRun();
    const config = (): ReplayConfig => ({
      ...shared,
      client: broker.client(),
      live,
      request: { id: 'v2', stages: 'all', from: 'earliest', to: 'now' },
      onFatal: (error) => fatal.push(error),
    });
    const opened = await openReplay(config());
    const heard = hearReplay(opened);
    const workers = new Map<number, ReplayWorker>();
    const join = async (number: number): Promise<void> => {
      const worker = await joinReplay(config());
      workers.set(number, worker);
      closers.push(() => worker.stop());
    };
    await join(1);
    await join(2);
    await until('each has a slot', async () => {
      const shares = await Promise.all([...workers.values()].map((worker) => worker.share()));
      return shares.every(({ slots }) => slots.length === 1);
    });
    await workers.get(1)?.stop();
    workers.delete(1);
    heard.forget(1);
    await join(3);
    await until('it is done', async () => {
      for (const [number, worker] of workers) if (heard.hear(number, await worker.share())) return true;
      return false;
    });
    const { done, total, slots } = heard.progress();
    assert.deepEqual([done, slots], [total, { here: PARTITIONS.length, all: PARTITIONS.length }]);
    for (const worker of workers.values()) await worker.stop();
    assert.deepEqual(rows('hourly.v2'), rows(hourly.name));
    assert.deepEqual(await clocks('app.replay.v2'), await clocks('app'));
    assert.notEqual((await finishReplay(config(), opened.plan)).finishedAt, null);
  });

  for (const end of [1n, 4n, 9n]) {
    test(`ends at offset ${end}, in the middle of a batch of ten`, async () => {
      for (const partition of PARTITIONS) await click(partition, ...Array.from({ length: 10 }, (_, i) => i));
      await runLive();
      assert.equal(rows(clean.name).length, 20);
      await replay('v2', { to: { offset: end } });
      const isBefore = (row: string): boolean => Number(row.split(' ').at(-1)) < Number(end) * MINUTE;
      assert.deepEqual(rows('clean.v2'), rows(clean.name).filter(isBefore));
      const positions = (await clocks('app.replay.v2')).map((text) => text.split(' ', 1)[0]);
      assert.deepEqual(positions, [`0@${end}`, `1@${end}`]);
    });
  }
});
