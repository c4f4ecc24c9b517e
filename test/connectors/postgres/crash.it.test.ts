/** Processes that are killed at any moment, two owners at once, connections ended in mid-batch: the rows are those of the topic, each written once. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { random } from '../../../topology/testing/random.ts';
import { seedOf } from '../sink.contract.ts';
import { checkRows, PARTITIONS, positions } from './flow.ts';
import { checkHistory, keepHistory, makeDatabase, makeSink } from './harness.ts';

const COUNT = 8_000;
const PER_MS = 1.5;
const child = new URL('crash-child.ts', import.meta.url);

test('kill -9 of two owners of the same partitions', { timeout: 240_000 }, async (t) => {
  const database = await makeDatabase();
  const sink = makeSink(database);
  await sink.open();
  await sink.close();
  await keepHistory(database);
  const next = random(seedOf('kill -9'));
  const start = Date.now();
  const alive = new Set<ChildProcess>();
  const begin = async (): Promise<ChildProcess> => {
    const arguments_ = [`url=${database.url}`, `start=${start}`, `perMs=${PER_MS}`, `count=${COUNT}`];
    const process = fork(child, arguments_, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    alive.add(process);
    await Promise.race([
      once(process, 'message'),
      once(process, 'exit').then(([code]) => assert.notEqual(code, 1, 'the process failed by itself')),
    ]);
    return process;
  };
  const kill = async (process: ChildProcess): Promise<void> => {
    alive.delete(process);
    const gone = once(process, 'exit');
    process.kill('SIGKILL');
    await gone;
  };
  t.after(async () => {
    await Promise.all([...alive].map(kill));
    await database.close();
  });

  const owners = [await begin(), await begin()];
  let kills = 0;
  let cut = 0;
  while ((Date.now() - start) * PER_MS < COUNT || kills < 6 || cut === 0) {
    await new Promise((resolve) => setTimeout(resolve, next.int(50, 500)));
    if (next.chance(0.5)) {
      const ended = await database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice crash' and datname = current_database()",
      );
      cut += ended.length;
      continue;
    }
    const victim = owners.splice(next.int(0, 1), 1)[0];
    if (victim !== undefined) await kill(victim);
    kills += 1;
    owners.push(await begin());
  }
  if (owners[0] !== undefined) await kill(owners[0]);
  const deadline = Date.now() + 120_000;
  for (;;) {
    const ends = [...(await positions(database, 'crash')).values()];
    if (ends.length === PARTITIONS && ends.every((end) => end === COUNT)) break;
    assert.ok(Date.now() < deadline, `positions are ${ends.join()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await checkRows(database, COUNT);
  const written = await checkHistory(database);
  const [sum] = await database.query<{ claims: number }>(
    'select sum(epoch)::integer as claims from sluice.sink_offsets',
  );
  console.log(`# ${kills} kills, ${cut} connections ended, ${sum?.claims} claims, ${written} row writes`);
});
