/** Global tables in a running application: whole before the first record, one copy per process, followed from there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  NotReadyError,
  partitionFor,
  RetriableError,
  type SerdeFactory,
  systemClock,
  TaskCorruptedError,
} from '#topology';
import { ChaosClient, random as randomOf } from '#topology/testing';
import { jsonSerdes } from '../dsl/support.ts';
import { Gate, ITEM_PARTITIONS, items, PARTITIONS, rowsOf, shelf, until } from './global-tables.ts';

const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

const MANY = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`i${n}`, `name ${n}`]));

test('the first records find every row that was there at the start', async (t) => {
  const at = await shelf(t);
  await at.put(MANY);
  await at.view(...Object.keys(MANY));
  const gate = new Gate();
  gate.slowMs = 2;
  await at.start({ gate });
  const found = await at.resultsOf(300);
  assert.deepEqual(
    found,
    Object.entries(MANY).map(([item, name], n) => `${n} ${item} ${name}`),
  );
});

test('no task runs before the table is read', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one' });
  await at.view('a');
  const gate = new Gate();
  gate.held = true;
  const starting = at.start({ gate });
  await until('the table is asked for', () => gate.waiting > 0);
  const admin = await at.client.admin();
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([await admin.groupMembers('shelf'), at.results()], [[], []]);
  gate.held = false;
  await starting;
  assert.deepEqual(await at.resultsOf(1), ['0 a one']);
});

test('a row that changes, one that is deleted and one that comes back', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one', b: 'two' });
  const app = await at.start();
  await at.view('a', 'b');
  assert.deepEqual(await at.resultsOf(2), ['0 a one', '1 b two']);
  await at.put({ a: 'changed', b: null });
  await until('the change is read', () => rowsOf(app).join() === 'a changed');
  await at.view('a', 'b');
  assert.deepEqual((await at.resultsOf(4)).slice(2), ['2 a changed', '3 b null']);
  await at.put({ b: 'back' });
  await until('the row is back', () => rowsOf(app).length === 2);
  await at.view('b');
  assert.deepEqual((await at.resultsOf(5)).slice(4), ['4 b back']);
  assert.deepEqual(app.table('everywhere').get('b'), { value: 'back', timestamp: 1_000 });
  assert.deepEqual(app.stats().globalTables, [{ store: 'everywhere', topic: 'items', entries: 2, lag: 0, dropped: 0 }]);
});

test('all slots share one copy; there is no topic but the table itself', async (t) => {
  const at = await shelf(t);
  await at.put(MANY);
  const gate = new Gate();
  const app = await at.start({ gate });
  await until('all slots run', () => app.stats().ready && app.stats().slots.length === PARTITIONS);
  assert.equal(rowsOf(app).length, 300);
  assert.equal(app.stats().restored, 0);
  assert.deepEqual(
    gate.seeks.map(({ partition }) => partition),
    Array.from({ length: ITEM_PARTITIONS }, (_, partition) => partition),
    'each partition is read once in the process',
  );
  const topics = await (await at.client.admin()).listTopics();
  assert.deepEqual(
    topics.filter((topic) => topic.startsWith('shelf-')),
    [],
  );
});

test('a process that starts again begins with what the table is then', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one' });
  const first = await at.start();
  await at.view('a');
  await at.resultsOf(1);
  await first.stop();
  await at.put({ a: 'meanwhile', b: 'new' });
  await at.view('a', 'b');
  await at.start();
  assert.deepEqual((await at.resultsOf(3)).slice(1), ['1 a meanwhile', '2 b new']);
});

test('slots that move to another process find its copy, which each process has whole', async (t) => {
  const at = await shelf(t);
  await at.put(MANY);
  const [first, second] = [await at.start(), await at.start()];
  await until('slots are shared', () => second.stats().slots.length > 0 && first.stats().slots.length > 0);
  assert.deepEqual([rowsOf(first).length, rowsOf(second).length], [300, 300]);
  await at.view('i1', 'i2', 'i3');
  await at.resultsOf(3);
  await at.put({ i1: 'moved' });
  await until('both have read it', () =>
    [first, second].every((app) => app.table('everywhere').get('i1')?.value === 'moved'),
  );
  await first.stop();
  await at.view('i1', 'i1', 'i1');
  assert.deepEqual((await at.resultsOf(6)).slice(3), ['3 i1 moved', '4 i1 moved', '5 i1 moved']);
});

test('a member that the group expels goes on with the copy it has', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one' });
  const gate = new Gate();
  await at.start({ gate });
  await at.view('a', 'a', 'a');
  await at.resultsOf(3);
  const before = gate.seeks.length;
  at.broker.expel('shelf', 0);
  await at.view('a', 'a', 'a');
  assert.equal((await at.resultsOf(6)).at(-1), '5 a one');
  assert.equal(gate.seeks.length, before, 'it is not read again');
});

test('a broker that is away is waited for, before and after the start', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one', b: 'two' });
  const gate = new Gate();
  gate.failures.push(new RetriableError('SLC_BROKER_AWAY', 'the broker is away'));
  const app = await at.start({ gate });
  assert.deepEqual(rowsOf(app), ['a one', 'b two']);
  gate.failures.push(new RetriableError('SLC_BROKER_AWAY', 'the broker is away'));
  await until('it was away', () => gate.failures.length === 0);
  await at.put({ a: 'after' });
  await until('it goes on', () => rowsOf(app).join() === 'a after,b two');
  assert.equal(at.warnings.filter((text) => text.includes('global tables')).length, 2);
  assert.deepEqual(at.fatal, []);
});

test('a topic that was made anew is read anew; until it is whole the old rows are found', async (t) => {
  const at = await shelf(t);
  await at.put(MANY);
  const gate = new Gate();
  const app = await at.start({ gate });
  assert.equal(rowsOf(app).length, 300);
  gate.held = true;
  await until('its reader waits', () => gate.waiting > 0);
  await (await at.client.admin()).deleteTopics([items.name]);
  await at.makeItems();
  const inPartition = (wanted: number): string[] =>
    Object.keys(MANY).filter((key) => partitionFor(Buffer.from(key), ITEM_PARTITIONS) === wanted);
  // The second partition takes more polls than the first.
  const kept = [...inPartition(0).slice(0, 1), ...inPartition(1).slice(0, 5)];
  await at.put(Object.fromEntries(kept.map((key) => [key, 'anew'])));
  // The poll that finds it out, then one for each batch of a partition.
  const sizes = new Set<number>();
  while (rowsOf(app).length !== kept.length) {
    const before = gate.waiting;
    gate.allowed = 1;
    await until('a poll', () => gate.waiting > before);
    sizes.add(rowsOf(app).length);
  }
  gate.held = false;
  assert.deepEqual([...sizes], [300, kept.length], 'never a part of it');
  assert.deepEqual(rowsOf(app), kept.map((key) => `${key} anew`).toSorted());
  await at.put({ new: 'followed' });
  await until('it is followed', () => app.table('everywhere').get('new')?.value === 'followed');
  assert.ok(at.warnings.some((text) => text.includes('reading that topic from its start')));
  assert.deepEqual(at.fatal, []);
});

test('records that are gone before they were read: the table is what the topic still holds', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one', b: 'two' });
  const gate = new Gate();
  gate.failures.push(
    new TaskCorruptedError('SLC_TASK_OFFSET_OUT_OF_RANGE', 'gone', { where: `${items.name}-0` }),
    new RetriableError('SLC_BROKER_AWAY', 'and then the broker is away'),
  );
  const app = await at.start({ gate });
  assert.deepEqual(rowsOf(app), ['a one', 'b two']);
});

test('a row that cannot be read: no start, and later no going on', async (t) => {
  const at = await shelf(t);
  await at.put({ a: 'one' });
  const app = await at.start();
  await at.view('a');
  await at.resultsOf(1);
  await at.put({ a: 'broken' });
  await until('it ends', () => at.fatal.length > 0);
  assert.ok(codeOf('SLC_APP_GLOBAL_TABLE')(at.fatal[0]));
  assert.match(at.fatal[0]?.message ?? '', /items-[01]@\d/);
  await app.stop();
  await assert.rejects(at.start(), codeOf('SLC_APP_GLOBAL_TABLE'));
});

test('a row whose schema is not there yet is waited for', async (t) => {
  const at = await shelf(t);
  await at.put(MANY);
  const come = Promise.withResolvers<void>();
  let asked = 0;
  let isThere = false;
  const serdes: SerdeFactory = {
    open: async (subject, schema, use) => {
      const serde = await jsonSerdes.open(subject, schema, use);
      if (subject !== 'items-value') return serde;
      return {
        ...serde,
        deserialize: (bytes) => {
          asked++;
          if (!isThere) throw new NotReadyError('a schema', come.promise);
          return serde.deserialize(bytes);
        },
      };
    },
  };
  const starting = at.start({ serdes });
  await until('the schema is asked for', () => asked > 0);
  isThere = true;
  come.resolve();
  assert.equal(rowsOf(await starting).length, 300);
});

test('processes that are killed: each view once, with a row that its item has had, in the end the last one', async (t) => {
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
  t.diagnostic(`SLUICE_SEED=${seed}`);
  const random = randomOf(seed);
  const all = ['a', 'b', 'c', 'd'] as const;
  const some = (): string => all[random.int(0, 3)] ?? 'a';
  const at = await shelf(t);
  const names = new Map<string, string[]>();
  const viewed: string[] = [];
  const change = async (nth: number): Promise<void> => {
    for (const item of all) {
      const name = `${item}${nth}`;
      names.set(item, [...(names.get(item) ?? []), name]);
      await at.put({ [item]: name });
      const looked = Array.from({ length: random.int(1, 5) }, some);
      viewed.push(...looked);
      await at.view(...looked);
    }
  };
  await change(0);
  for (let nth = 1; nth <= 5; nth++) {
    const options = { clock: systemClock, random, failures: 0.05, delayMs: 3 };
    const mortal = new ChaosClient(at.broker.client(), options);
    await at.start({ mortal });
    mortal.isCalm = false;
    await change(nth);
    const wanted = Math.floor(viewed.length * 0.7);
    await until('some results', () => at.results().length >= wanted);
    await mortal.kill();
  }
  await at.start();
  const before = viewed.length;
  viewed.push(...all);
  await at.view(...all);
  const found = (await at.resultsOf(viewed.length)).map((text) => text.split(' '));
  assert.deepEqual(
    found.map(([n, item]) => `${n} ${item}`),
    viewed.map((item, n) => `${n} ${item}`),
    `SLUICE_SEED=${seed}`,
  );
  for (const [n, item = '', name = ''] of found) {
    const known = names.get(item) ?? [];
    const isRight = Number(n) < before ? known.includes(name) : name === known.at(-1);
    assert.ok(isRight, `${n} ${item} ${name}, SLUICE_SEED=${seed}`);
  }
});
