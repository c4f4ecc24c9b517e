/** Two owners of the same partitions, killed at any moment: the log shows every record once, and what they left behind is never seen and goes. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { random } from '../../../topology/testing/random.ts';
import { lakeFiles, readLake } from '../../../connectors/parquet/index.ts';
import { seedOf } from '../sink.contract.ts';
import { makeLake, makeSink, parquet, topic } from './harness.ts';

const END = 4_000;
const PARTITIONS = 2;
const KILLS = 12;
const child = new URL('crash-child.ts', import.meta.url);

test('kill -9 of two owners of the same partitions', { timeout: 240_000 }, async (t) => {
  const lake = await makeLake();
  const next = random(seedOf('kill -9'));
  const alive = new Set<ChildProcess>();
  let kills = 0;
  t.after(async () => {
    for (const each of alive) each.kill('SIGKILL');
    await lake.close();
  });
  const folder = join(lake.root, topic);
  const onDisk = async (ending: string): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(ending));
  const position = async (): Promise<number> =>
    (await readLake(lake.root, topic)).reduce((sum, each) => sum + Number(each.nextOffset ?? 0n), 0);

  const own = async (): Promise<void> => {
    for (;;) {
      const arguments_ = [lake.root, String(END), String(PARTITIONS), String(next.int(0, 1e9))];
      const process = fork(child, arguments_, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      alive.add(process);
      const gone = once(process, 'exit');
      const deadly = kills < KILLS;
      if (deadly) {
        // The moment is by progress, not by time: a slow machine is killed at work too.
        const goal = (await position()) + next.int(1, 700);
        while (process.exitCode === null && process.signalCode === null && (await position()) < goal) {
          await new Promise((resolve) => setTimeout(resolve, next.int(1, 12)));
        }
        kills += 1;
        process.kill('SIGKILL');
      }
      const [code, signal] = (await gone) as [number | null, string | null];
      alive.delete(process);
      if (code === 0) return;
      assert.equal(signal, 'SIGKILL', 'the process failed by itself');
    }
  };
  await Promise.all([own(), own()]);

  const files = await lakeFiles(lake.root, topic);
  const seen = await lake.query(
    `select _partition::integer as partition, count(*)::integer as n, count(distinct _offset)::integer as offsets,
            sum("someNumber")::double as total, bool_and("someNumber" = _offset) as own
     from ${parquet(files)} group by all order by all`,
  );
  const row = { n: END, offsets: END, total: (END * (END - 1)) / 2, own: true };
  assert.deepEqual(
    seen,
    [0, 1].map((partition) => ({ partition, ...row })),
  );
  const leftBehind = (await onDisk('.parquet')).length - files.length;
  const versions = (await onDisk('.json')).length;
  console.log(
    `# ${kills} kills, ${versions} entries, ${files.length} files, ${leftBehind} more on disk, ${(await onDisk('.tmp')).length} scratch files`,
  );
  assert.ok(kills >= KILLS);

  // The next owner merges what is left of each hour, and takes away what nobody needs.
  const last = makeSink(lake.root, { retentionMs: 0, merge: { fanIn: 3 } });
  for (let partition = 0; partition < PARTITIONS; partition += 1) await last.claim(topic, partition);
  // It takes a pause of 30 s after a failure.
  const deadline = Date.now() + 90_000;
  for (;;) {
    const wanted = new Set((await lakeFiles(lake.root, topic)).map((file) => relative(folder, file)));
    // What entries behind the last checkpoint took away stays until the next one.
    const entries = await Promise.all(
      (await onDisk('.json')).map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
    );
    const needless = (await onDisk('.parquet')).filter(
      (file) => !wanted.has(file) && !entries.some((entry) => entry.includes(file)),
    );
    const scratch = (await onDisk('.tmp')).filter((name) => name.startsWith('day='));
    if (needless.length + scratch.length === 0 && wanted.size < files.length / 2) break;
    assert.ok(Date.now() < deadline, `${wanted.size} files, left over: ${[...needless, ...scratch].join()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await last.close();
  const [count] = await lake.query(`select count(*)::integer as n from ${parquet(await lakeFiles(lake.root, topic))}`);
  assert.equal(count?.['n'], PARTITIONS * END);
});
