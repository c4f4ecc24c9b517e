/** Every single operation on files fails once, done or not, and once the process dies there: no record is lost, none is there twice. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { ConnectorError, RetriableError, type SinkPartition, type SinkRecord } from '#topology';
import { CommitLog } from '../../../connectors/parquet/commit-log.ts';
import { hyparquetFormat } from '../../../connectors/parquet/hyparquet.ts';
import { lakeFiles, readLake } from '../../../connectors/parquet/index.ts';
import { filesToMerge, mergeFiles } from '../../../connectors/parquet/merge.ts';
import { claimPartition, type LakePartition } from '../../../connectors/parquet/partition.ts';
import { logFolder, tableOf } from '../../../connectors/parquet/table.ts';
import { seedOf } from '../sink.contract.ts';
import { random } from '../../../topology/testing/random.ts';
import { FaultyFiles, type FaultPlan } from './faulty-files.ts';
import { definition, makeLake, makeSink, numberRecord, parquet, type TestLake, topic } from './harness.ts';

const MODES: readonly Omit<FaultPlan, 'at'>[] = [
  { done: false, dead: false, code: 'EIO' },
  { done: true, dead: false, code: 'EIO' },
  { done: false, dead: true, code: 'EIO' },
  { done: true, dead: true, code: 'EIO' },
];
const batch = (from: number, to: number): SinkRecord[] =>
  Array.from({ length: to - from }, (_, i) => numberRecord(BigInt(from + i), `k${from + i}`, from + i));
const own = (root: string): Promise<LakePartition> =>
  claimPartition({
    table: tableOf(root, topic, { schema: definition, key: 'text' }, hyparquetFormat),
    partition: 0,
    owner: 'test',
    onCommit: () => undefined,
  });

/** Offsets in the lake by its log, which must be those before its position. */
async function offsets(lake: TestLake): Promise<number> {
  const files = await lakeFiles(lake.root, topic);
  const rows =
    files.length === 0
      ? []
      : await lake.query(`select _offset::integer as o, "someNumber"::integer as n from ${parquet(files)} order by 1`);
  assert.deepEqual(
    rows.map((row) => [row['o'], row['n']]),
    rows.map((_, i) => [i, i]),
    'a record is missing, or there twice',
  );
  const [view] = await readLake(lake.root, topic);
  assert.equal(Number(view?.nextOffset ?? 0n), rows.length, 'the position is not that of the rows');
  return rows.length;
}

function prepare(t: TestContext, lake: TestLake): FaultyFiles {
  const files = new FaultyFiles(lake.root);
  t.after(async () => {
    files.restore();
    await lake.close();
  });
  return files;
}

/** Runs `work` in each mode with each of its operations failing, on a lake as `setUp` leaves it. */
async function atEveryOperation(
  lake: TestLake,
  faulty: FaultyFiles,
  setUp: () => Promise<LakePartition>,
  check: (claim: LakePartition, plan: FaultPlan) => Promise<void>,
): Promise<number> {
  let cases = 0;
  for (const mode of MODES) {
    for (let at = 0; ; at += 1) {
      await rm(join(lake.root, topic), { recursive: true, force: true });
      faulty.begin();
      const claim = await setUp();
      faulty.begin({ ...mode, at });
      await check(claim, { ...mode, at });
      faulty.heal();
      await claim.close();
      if (faulty.failed === '') break;
      cases += 1;
    }
  }
  return cases;
}

test('a write whose every operation fails or loses its answer, or ends the process', async (t) => {
  const lake = await makeLake();
  const faulty = prepare(t, lake);
  const FIRST = 60;
  const ALL = 150;
  const setUp = async (): Promise<LakePartition> => {
    const claim = await own(lake.root);
    await claim.write(batch(0, FIRST), BigInt(FIRST));
    return claim;
  };
  let again = 0;
  const cases = await atEveryOperation(lake, faulty, setUp, async (first, plan) => {
    let claim: SinkPartition = first;
    for (let attempt = 0; ; attempt += 1) {
      assert.ok(attempt < 5, `it does not go on after ${faulty.failed}`);
      try {
        await claim.write(batch(FIRST, ALL), BigInt(ALL));
        break;
      } catch (error) {
        assert.ok(error instanceof RetriableError && error.code === 'SLC_PARQUET_AWAY', String(error));
        again += 1;
        if (!plan.dead) continue;
        faulty.heal();
        claim = await own(lake.root);
        // Whoever comes next finds all of it or nothing.
        assert.ok(claim.nextOffset === BigInt(FIRST) || claim.nextOffset === BigInt(ALL), String(claim.nextOffset));
        assert.equal(await offsets(lake), Number(claim.nextOffset));
        if (claim.nextOffset === BigInt(ALL)) break;
      }
    }
    faulty.heal();
    assert.equal(await offsets(lake), ALL);
  });
  console.log(`# ${cases} faults, ${again} writes were tried again`);
  assert.ok(cases > 60 && again > 60, `${cases} cases, ${again} failures`);
});

test('a claim that dies at any operation is no obstacle', async (t) => {
  const lake = await makeLake();
  const faulty = prepare(t, lake);
  const setUp = async (): Promise<LakePartition> => {
    const claim = await own(lake.root);
    await claim.write(batch(0, 50), 50n);
    return claim;
  };
  await atEveryOperation(lake, faulty, setUp, async (_, plan) => {
    const second = await own(lake.root).catch((error: unknown) => {
      assert.ok(error instanceof RetriableError, String(error));
      return undefined;
    });
    if (second !== undefined) assert.equal(second.nextOffset, 50n);
    faulty.heal();
    const third = await own(lake.root);
    assert.equal(third.nextOffset, 50n, JSON.stringify(plan));
    await third.write(batch(50, 60), 60n);
    assert.equal(await offsets(lake), 60);
  });
});

test('a merge that fails or dies at any operation changes no row', async (t) => {
  const lake = await makeLake();
  const faulty = prepare(t, lake);
  const limits = { fanIn: 3, maxFileBytes: 2 ** 20 };
  const ALL = 30;
  const setUp = async (): Promise<LakePartition> => {
    const claim = await own(lake.root);
    for (let from = 0; from < ALL; from += 10) await claim.write(batch(from, from + 10), BigInt(from + 10));
    return claim;
  };
  let merged = 0;
  const merge = async (claim: LakePartition): Promise<void> => {
    const files = filesToMerge(claim.files.values(), claim.table.schema, limits);
    assert.equal(files?.length, 3);
    await mergeFiles(claim, files ?? []);
  };
  const cases = await atEveryOperation(lake, faulty, setUp, async (first, plan) => {
    let claim = first;
    const broken = await merge(claim).catch((error: unknown) => error);
    faulty.heal();
    assert.equal(await offsets(lake), ALL);
    if (broken === undefined) merged += 1;
    if (plan.dead) claim = await own(lake.root);
    // With the doubt that the failure left, a write goes on behind it.
    await claim.write(batch(ALL, ALL + 20), BigInt(ALL + 20));
    assert.equal(await offsets(lake), ALL + 20);
    const rest = filesToMerge(claim.files.values(), claim.table.schema, { ...limits, fanIn: 2 });
    if (rest !== undefined) await mergeFiles(claim, rest);
    assert.equal(await offsets(lake), ALL + 20);
  });
  assert.ok(cases > 40 && merged >= MODES.length, `${cases} cases, ${merged} whole merges`);
});

test('merging towards a size: no file grows beyond it, those of an hour are few, all rows stay', async (t) => {
  const lake = await makeLake();
  t.after(() => lake.close());
  const next = random(seedOf('merging towards a size'));
  const merge = { fanIn: 3, maxFileBytes: 12_000 };
  const sink = makeSink(lake.root, { merge, retentionMs: 0 });
  const claim = await sink.claim(topic, 0);
  const ALL = 12_000;
  for (let from = 0; from < ALL;) {
    const to = Math.min(ALL, from + next.int(20, 150));
    // Two hours: in most an entry adds a file to each.
    const records = batch(from, to).map((record, i) => ({ ...record, timestamp: Date.UTC(2026, 6, 1, i % 2) }));
    await claim.write(records, BigInt(to));
    from = to;
  }
  const log = new CommitLog(logFolder(join(lake.root, topic), 0));
  const deadline = Date.now() + 30_000;
  const left = async () => filesToMerge((await log.read()).files.values(), 'any', merge);
  for (;;) {
    const files = [...(await log.read()).files.values()];
    const schema = files[0]?.schema ?? '';
    if (filesToMerge(files, schema, merge) === undefined) break;
    assert.ok(Date.now() < deadline, `${files.length} files are not merged any further`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await left(), undefined);
  assert.equal(await offsets(lake), ALL);
  const files = [...(await log.read()).files.values()];
  const sizes = files.map(({ bytes }) => bytes);
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  console.log(`# ${files.length} files, ${Math.max(...sizes)} bytes the largest, ${total} in all`);
  // Compressed together they are smaller than apart: the sum of what goes in is the limit.
  assert.ok(Math.max(...sizes) <= merge.maxFileBytes);
  assert.ok(files.length < 60, `${files.length} files of ${total} bytes`);
  assert.ok(sizes.some((bytes) => bytes > merge.maxFileBytes / 3));
  await sink.close();
});

test('no rights: ConnectorError SLC_PARQUET_ACCESS, and on with them when they are back', async (t) => {
  const lake = await makeLake();
  const faulty = prepare(t, lake);
  const claim = await own(lake.root);
  await claim.write(batch(0, 10), 10n);
  for (const code of ['EACCES', 'EPERM', 'EROFS']) {
    const from = Number(claim.nextOffset);
    faulty.begin({ at: 0, done: false, dead: true, code });
    await assert.rejects(claim.write(batch(from, from + 10), BigInt(from + 10)), (error: unknown) => {
      assert.ok(error instanceof ConnectorError && error.code === 'SLC_PARQUET_ACCESS', String(error));
      assert.match(error.hint ?? '', /SLUICE_LAKE/);
      return true;
    });
    const sink = makeSink(lake.root);
    await assert.rejects(sink.open(), ConnectorError);
    faulty.heal();
    await claim.write(batch(from, from + 10), BigInt(from + 10));
  }
  assert.equal(await offsets(lake), 40);
});

/** Writes on a disk that is full at times, until `isEnough`; how many attempts failed. `before` is called before each attempt. */
async function fillAndGoOn(
  lake: TestLake,
  before: (failures: number) => Promise<void>,
  isEnough: (failures: number, writes: number) => boolean,
): Promise<number> {
  const claim = await own(lake.root);
  // Text that no compression makes small.
  const noise = random(1);
  let failures = 0;
  let to = 0;
  for (let writes = 0; !isEnough(failures, writes); writes += 1) {
    const records = batch(to, to + 100).map((record) => ({
      ...record,
      value: { someNumber: Number(record.offset), label: Array.from({ length: 20 }, () => noise.int(0, 1e9)).join() },
    }));
    for (let attempt = 0; ; attempt += 1) {
      assert.ok(attempt < 10, 'it does not go on');
      await before(failures);
      try {
        await claim.write(records, BigInt(to + 100));
        break;
      } catch (error) {
        assert.ok(error instanceof RetriableError && error.code === 'SLC_PARQUET_AWAY', String(error));
        assert.match(error.message, /ENOSPC/);
        assert.match(error.hint ?? '', /free some space/);
        failures += 1;
        // All of it or nothing is to be seen, and what is there stays readable.
        const position = Number((await readLake(lake.root, topic))[0]?.nextOffset ?? 0n);
        assert.ok(position === to || position === to + 100, `${position} is neither ${to} nor 100 more`);
      }
    }
    to += 100;
  }
  assert.equal(Number(claim.nextOffset), to);
  return failures;
}

test('a disk that is full, at each operation in turn', async (t) => {
  const lake = await makeLake();
  const faulty = prepare(t, lake);
  let attempts = 0;
  const failures = await fillAndGoOn(
    lake,
    () => Promise.resolve(faulty.begin({ at: (attempts++ * 7) % 60, done: false, dead: false, code: 'ENOSPC' })),
    (_, writes) => writes === 60,
  );
  faulty.heal();
  assert.ok(failures >= 20, `${failures} failures`);
  assert.equal(await offsets(lake), 6_000);
});

const run = promisify(execFile);
const mounted = join(tmpdir(), `sluice-small-disk-${process.pid}`);
const why = await (async (): Promise<string | undefined> => {
  await mkdir(mounted);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]);
    return undefined;
  } catch (error) {
    await rm(mounted, { recursive: true, force: true });
    return `a small disk cannot be mounted here: ${(error as NodeJS.ErrnoException).code ?? 'mount failed'}`;
  }
})();

test(`a real disk of 4 MB that is full${why === undefined ? '' : ` (skipped: ${why})`}`, { skip: why }, async (t) => {
  const lake = await makeLake();
  t.after(async () => {
    await run('umount', [mounted]);
    await rm(mounted, { recursive: true, force: true });
    await lake.close();
  });
  const BALLAST = 3;
  const ballast = (i: number): string => join(mounted, `ballast-${i}`);
  for (let i = 0; i < BALLAST; i += 1) await writeFile(ballast(i), new Uint8Array(1_000_000));
  const small = { ...lake, root: join(mounted, 'lake') };
  let removed = 0;
  let since = 0;
  // Room comes with the third attempt in a row: it is full for a while.
  const failures = await fillAndGoOn(
    small,
    async (failed) => {
      if (failed < since + 3) return;
      since = failed;
      await rm(ballast(removed++), { force: true });
    },
    () => removed === BALLAST,
  );
  assert.ok(failures >= 3 * BALLAST);
  const rows = await offsets(small);
  console.log(`# full ${failures} times, ${rows} rows`);
  assert.ok(rows > 0);
});
