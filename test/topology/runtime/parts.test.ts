/** Applications of one project over a broker in memory: who owns a stage, who writes what another one reads, and how names are numbered. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  HINTS_TOPIC,
  keyBy,
  mapValues,
  parseLedgerRecord,
  type Parts,
  partTopology,
  type Roster,
  type SluiceError,
  stage,
  type Stage,
  startStreamApp,
  type StreamApp,
  TopologyError,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';
import { derived, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';
import { encodeRoster } from '../../../topology/time/ledger-records.ts';
import { readJson } from './read-json.ts';

const web = origin<string>('web', 1, {}, '0s');
const till = origin<string>('till', 1, {}, '0s');
const sales = derived<string>('sales', 1);
const perMinute = derived<number>('per-minute', 1);

const copy = (name: string, from: typeof web): Stage =>
  stage(name, (s) => {
    s.stream(from)
      .pipe(mapValues((value) => value))
      .to(sales);
  });
const counts = stage('counts', (s) => {
  s.stream(sales)
    .pipe(
      windowedBy(tumbling({ size: '1m', grace: '0s' })),
      count({ store: 'counts' }),
      keyBy((r) => `${r.key.key}@${r.key.start / MINUTE}`),
    )
    .to(perMinute);
});
const webSales = copy('web-sales', web);
const tillSales = copy('till-sales', till);

/** Its applications come and go. */
class Project {
  readonly clock = new VirtualClock();
  readonly broker = new FakeKafka({ clock: this.clock });
  readonly fatal = new Map<string, SluiceError[]>();

  async open(): Promise<void> {
    const admin = await this.broker.client().admin();
    await admin.ensureTopics([web.name, till.name, HINTS_TOPIC].map((name) => ({ name, partitions: 1 })));
  }

  async start(app: string, parts: Parts, stages: readonly Stage[] = [webSales, counts]): Promise<StreamApp> {
    const errors: SluiceError[] = [];
    this.fatal.set(app, errors);
    return await this.clock.until(
      startStreamApp({
        client: this.broker.client(),
        topology: partTopology(buildTopology(stages, { app: 'p', parts }), app),
        serdes: jsonSerdes,
        logger: pino({ level: process.env['SLUICE_TEST_LOG'] ?? 'silent' }),
        clock: this.clock,
        sessionTimeoutMs: 1_000,
        options: { tickMs: 1 },
        onFatal: (error) => errors.push(error as SluiceError),
      }),
    );
  }

  async stop(app: StreamApp): Promise<void> {
    await this.clock.until(app.stop());
  }

  /** As a sale at each minute, then a word that all before `until` are there. */
  async sold(topic: typeof web, minutes: readonly number[], until: number): Promise<void> {
    const producer = await this.broker.client().producer();
    for (const minute of minutes) {
      const batch = new BatchBuilder();
      batch.append(Buffer.from('k'), Buffer.from('"x"'), minute * MINUTE);
      await producer.send([{ topic: topic.name, partition: 0, batch }]);
    }
    const endOffset = this.broker.partition({ topic: topic.name, partition: 0 }).end(true);
    const at = this.clock.now();
    const m = until * MINUTE;
    const { key, value } = encodeHint({ writer: 'test', topic: topic.name, partition: 0, m, endOffset, at });
    const batch = new BatchBuilder();
    batch.append(key, value, at);
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  async rows(): Promise<string[]> {
    await this.clock.pass(5_000);
    return readJson(this.broker, perMinute.name).map(({ key, value }) => `${key}=${String(value)}`);
  }

  /** The newest of an application. */
  roster(app: string): Roster {
    const found = readJson(this.broker, `${app}.watermarks`).flatMap(({ key, value }) => {
      const record = parseLedgerRecord(Buffer.from(key), Buffer.from(JSON.stringify(value)));
      return record?.kind === 'roster' ? [record] : [];
    });
    const last = found.at(-1);
    assert.ok(last !== undefined, `${app} has no roster`);
    return last;
  }
}

const refusal = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TopologyError);
  assert.equal(error.code, code);
  assert.match(`${error.message} ${error.hint ?? ''}`, text);
  return true;
};

const DIVIDED: Parts = { c: ['counts'] };

async function opened(): Promise<Project> {
  const project = new Project();
  await project.open();
  return project;
}

describe('applications of a project', () => {
  test('hand on records and watermarks: windows close in one by what the other has promised', async () => {
    const project = await opened();
    // The part first: it waits for nobody.
    const part = await project.start('p.c', DIVIDED);
    await project.sold(web, [1, 1, 2, 3], 3);
    assert.deepEqual(await project.rows(), []);
    const rest = await project.start('p', DIVIDED);
    assert.deepEqual(await project.rows(), ['k@1=2', 'k@2=1']);
    // What is behind stands still with what is before it, and goes on with it.
    await project.stop(rest);
    await project.sold(web, [3], 5);
    assert.deepEqual(await project.rows(), ['k@1=2', 'k@2=1']);
    const again = await project.start('p', DIVIDED);
    await project.stop(part);
    const other = await project.start('p.c', DIVIDED);
    assert.deepEqual(await project.rows(), ['k@1=2', 'k@2=1', 'k@3=2']);
    assert.deepEqual([...project.fatal.values()].flat(), []);
    for (const app of [again, other]) await project.stop(app);
  });

  test('number names by one list, whoever comes first', async () => {
    const project = await opened();
    const part = await project.start('p.c', DIVIDED);
    const rest = await project.start('p', DIVIDED);
    const { topics } = project.roster('p');
    assert.deepEqual(topics.toSorted(), ['p.c-counts-changelog', 'sales', 'web']);
    assert.deepEqual(project.roster('p.c').topics, topics.slice(0, project.roster('p.c').topics.length));
    assert.deepEqual(project.roster('p').owners, { counts: 'p.c', 'web-sales': 'p' });
    for (const app of [part, rest]) await project.stop(app);
    // A ledger of the project that was made anew numbers otherwise.
    const admin = await project.broker.client().admin();
    await admin.deleteTopics(['p.watermarks']);
    const anew = await project.start('p', DIVIDED);
    await assert.rejects(project.start('p.c', DIVIDED), refusal('SLC_APP_NUMBERS', /numbers topics otherwise/));
    await project.stop(anew);
  });
});

describe('a stage that another application has run is refused, whichever starts first', () => {
  test('the whole while, and after, a part runs', async () => {
    const project = await opened();
    const part = await project.start('p.c', DIVIDED);
    const wrong = refusal('SLC_APP_STAGE_OWNER', /stage counts was run by application p\.c.*declare it for p\.c/);
    await assert.rejects(project.start('p', {}), wrong);
    await project.stop(part);
    await assert.rejects(project.start('p', {}), wrong);
    // Nothing was changed: declared as it was, all start.
    for (const app of ['p', 'p.c']) await project.stop(await project.start(app, DIVIDED));
  });

  test('a part of what ran whole', async () => {
    const project = await opened();
    const whole = await project.start('p', {});
    const wrong = refusal('SLC_APP_STAGE_OWNER', /stage counts was run by application p, .*here it is one of p\.c/);
    await assert.rejects(project.start('p.c', DIVIDED), wrong);
    await project.sold(web, [1, 2], 3);
    assert.deepEqual(await project.rows(), ['k@1=1', 'k@2=1']);
    await project.stop(whole);
    await assert.rejects(project.start('p.c', DIVIDED), wrong);
    // Nor does the rest start without it: it would be run by nobody.
    await assert.rejects(project.start('p', DIVIDED), wrong);
    await project.stop(await project.start('p', {}));
  });

  test('a part of what ran whole before rosters said so', async () => {
    const project = await opened();
    const admin = await project.broker.client().admin();
    await admin.ensureTopics([{ name: 'p.watermarks', partitions: 1 }]);
    const writers = { sales: ['web-sales/0'], 'per-minute': ['counts/0'] };
    const old = encodeRoster({ app: 'p', topics: ['web'], epoch: 'e', stores: {}, writers, floors: {} });
    assert.ok(!String(old.value).includes('owners'));
    const batch = new BatchBuilder();
    batch.append(old.key, old.value, 0);
    const producer = await project.broker.client().producer();
    await producer.send([{ topic: 'p.watermarks', partition: 0, batch }]);
    const wrong = refusal('SLC_APP_STAGE_OWNER', /stage counts was run by application p, /);
    await assert.rejects(project.start('p.c', DIVIDED), wrong);
    await project.stop(await project.start('p', {}));
  });

  test('another part, and one whose stage was left out for a while', async () => {
    const project = await opened();
    await project.stop(await project.start('p.c', DIVIDED));
    await assert.rejects(
      project.start('p.d', { d: ['counts'] }),
      refusal('SLC_APP_STAGE_OWNER', /run by application p\.c.*one of p\.d/),
    );
    await project.stop(await project.start('p', {}, [webSales]));
    await assert.rejects(project.start('p', {}), refusal('SLC_APP_STAGE_OWNER', /run by application p\.c/));
  });

  test('of both that start in the same moment one', async () => {
    const project = await opened();
    const both = await Promise.allSettled([project.start('p', {}), project.start('p.c', DIVIDED)]);
    const refused = both.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    assert.equal(refused.length, 1);
    refusal('SLC_APP_STAGE_OWNER', /stage counts/)(refused[0]);
    for (const each of both) if (each.status === 'fulfilled') await project.stop(each.value);
  });

  test('a project that is divided is no application', async () => {
    const project = await opened();
    const topology = buildTopology([webSales, counts], { app: 'p', parts: DIVIDED });
    const { clock } = project;
    const logger = pino({ level: 'silent' });
    const client = project.broker.client();
    const starting = startStreamApp({ client, topology, serdes: jsonSerdes, logger, clock, onFatal: () => undefined });
    await assert.rejects(clock.until(starting), refusal('SLC_TOPOLOGY_PARTS', /stage counts is run by p\.c, not by p/));
  });
});

describe('other writers than expected', () => {
  const MORE = [webSales, tillSales, counts];

  test('end whoever reads, before a promise of theirs is taken over', async () => {
    const project = await opened();
    let rest = await project.start('p', DIVIDED);
    const part = await project.start('p.c', DIVIDED);
    await project.sold(web, [1, 2], 2);
    assert.deepEqual(await project.rows(), ['k@1=1']);
    await project.stop(rest);
    await project.sold(till, [2, 2], 9);
    await project.sold(web, [], 9);
    rest = await project.start('p', DIVIDED, MORE);
    assert.deepEqual(await project.rows(), ['k@1=1'], 'minute 2 waits for the new writer');
    const [error] = project.fatal.get('p.c') ?? [];
    refusal('SLC_APP_OTHER_WRITERS', /application p writes sales by other tasks/)(error);
    await project.stop(part);
    await assert.rejects(project.start('p.c', DIVIDED), refusal('SLC_APP_OTHER_WRITERS', /from the same version/));
    const anew = await project.start('p.c', DIVIDED, MORE);
    assert.deepEqual(await project.rows(), ['k@1=1', 'k@2=3']);
    for (const app of [rest, anew]) await project.stop(app);
  });

  test('are waited for when the reader is upgraded first', async () => {
    const project = await opened();
    const old = await project.start('p', DIVIDED);
    await assert.rejects(project.start('p.c', DIVIDED, MORE), refusal('SLC_APP_OTHER_WRITERS', /p writes sales/));
    const starting = project.start('p.c', DIVIDED, MORE);
    await project.stop(old);
    const rest = await project.start('p', DIVIDED, MORE);
    const part = await starting;
    for (const app of [rest, part]) await project.stop(app);
  });
});
