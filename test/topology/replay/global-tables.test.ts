/** The global tables of a replay: what their topics held when its plan was made, whole before the first record, and nothing that came later. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  buildTopology,
  comparedTopics,
  globalJoin,
  keyBy,
  openReplay,
  type ReplayRequest,
  type ReplayRun,
  stage,
  startReplay,
} from '#topology';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';
import { items, named, naming, type Shelf, shelf, until, views } from '../tables/global-tables.ts';

const live = buildTopology([naming], { app: 'shelf' });
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

const requestOf = (id: string): ReplayRequest => ({ id, stages: 'all', from: 'earliest', to: 'now' });
const configOf = (at: Shelf, id: string, topology = live) => ({
  client: at.broker.client(),
  live: topology,
  request: requestOf(id),
  serdes: jsonSerdes,
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  options: { commitIntervalMs: 10, minCommitIntervalMs: 1 },
  onFatal: (error: Error) => void at.fatal.push(error),
});

async function done(t: TestContext, at: Shelf, run: Promise<ReplayRun>): Promise<ReplayRun> {
  const running = await run;
  t.after(() => running.stop());
  assert.equal(await running.done, true);
  assert.deepEqual(at.fatal, []);
  return running;
}

test('every record meets the rows of the frozen ends, whatever live met and whatever comes later', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one', gone: 'one' });
  const app = await at.start({ topology: live });
  await at.view('a', 'gone', 'later');
  assert.deepEqual(await at.resultsOf(3), ['0 a one', '1 gone one', '2 later null']);
  await at.put({ a: 'two', gone: null });
  await until('live has read it', () => app.table('everywhere').get('a')?.value === 'two');
  await app.stop();
  const config = configOf(at, 'v2');
  const { plan, topology } = await openReplay(config);
  await at.put({ a: 'three', later: 'three' });
  const run = await done(t, at, startReplay(config));
  assert.deepEqual(at.results(`${named.name}.v2`), ['0 a two', '1 gone null', '2 later null']);
  assert.deepEqual(run.plan.globalTables, plan.globalTables);
  assert.deepEqual(
    plan.inputs.map(({ topic }) => topic),
    [views.name, views.name, views.name],
    'it is no input of the slots',
  );
  const [compared] = comparedTopics(live, topology, plan);
  assert.match(compared?.nondeterministic ?? '', /the global table as it is when a record comes/);
});

test('a table that the replayed stages write is the one of live', async (t) => {
  const at = await shelf(t);
  const shelved = derived<string>('shelved', 2);
  const source = origin<string>(items.name, 2);
  const both = buildTopology(
    [
      stage('shelved', (s) => {
        s.stream(source)
          .pipe(keyBy((r) => r.key))
          .to(shelved);
      }),
      stage('named', (s) => {
        const table = s.globalTable(shelved, { store: 'shelved' });
        s.stream(views)
          .pipe(
            globalJoin(
              table,
              (r) => r.value.item,
              (view, row) => `${view.n} ${view.item} ${row}`,
              { join: 'left' },
            ),
          )
          .to(named);
      }),
    ],
    { app: 'shelf' },
  );
  await at.put({ a: 'one', b: 'two' });
  const app = await at.start({ topology: both });
  await until('live has both rows', () => [...app.table('shelved').entries()].length === 2);
  await at.view('a', 'b');
  assert.deepEqual(await at.resultsOf(2), ['0 a one', '1 b two']);
  await app.stop();
  const run = await done(t, at, startReplay(configOf(at, 'v3', both)));
  assert.deepEqual(at.results(`${named.name}.v3`), ['0 a one', '1 b two']);
  assert.deepEqual([...new Set(run.plan.globalTables?.map(({ topic }) => topic))], [shelved.name]);
});

test('a topic that was made anew since the plan is not the table that was frozen', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one', b: 'two', c: 'three' });
  const app = await at.start({ topology: live });
  await at.view('a');
  await at.resultsOf(1);
  await app.stop();
  const config = configOf(at, 'v4');
  await openReplay(config);
  await (await at.client.admin()).deleteTopics([items.name]);
  await at.makeItems();
  await assert.rejects(startReplay(config), codeOf('SLC_TASK_OFFSET_OUT_OF_RANGE'));
});
