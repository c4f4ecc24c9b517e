/** How the local parts are installed: what is missing, and downloads by a Maven that is a script here. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { kafkaPart, type PartContext, postgresPart } from '../../dev/parts/index.ts';
import { type Download, downloadFolder, fetchJars } from '../../dev/parts/maven.ts';

const DEADLINE_MS = 10_000;

let folder: string;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice parts-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

function contextOf(overrides: Partial<PartContext>): PartContext {
  return {
    dataDir: path.join(folder, 'data'),
    logFile: path.join(folder, 'server.log'),
    cacheDir: path.join(folder, 'cache'),
    diskBytes: 1,
    ports: {},
    progress: () => {},
    signal: new AbortController().signal,
    ...overrides,
  };
}

describe('what is missing', () => {
  /** Without any program: nothing on the PATH, and no JAVA_HOME. */
  async function withoutPrograms(use: (cacheDir: string) => Promise<void>): Promise<void> {
    const { PATH, JAVA_HOME } = process.env;
    const empty = await mkdtemp(path.join(folder, 'empty-'));
    process.env['PATH'] = empty;
    delete process.env['JAVA_HOME'];
    try {
      await use(empty);
    } finally {
      process.env['PATH'] = PATH;
      if (JAVA_HOME !== undefined) process.env['JAVA_HOME'] = JAVA_HOME;
    }
  }

  test('no Java: one message with what to install, and Docker by name', async () => {
    await withoutPrograms(async (cacheDir) => {
      const message = await kafkaPart().missing({ cacheDir });
      assert.match(
        message ?? '',
        /^Java 17 or newer is needed for Kafka, there is none: .*openjdk-17-jre-headless maven.*--docker/,
      );
      await assert.rejects(kafkaPart().start(contextOf({ cacheDir })), { code: 'SLC_PART_MISSING', message });
      await writeFile(path.join(cacheDir, 'java'), `#!/bin/sh\necho 'openjdk version "11.0.2" 2019-01-15' >&2\n`, {
        mode: 0o755,
      });
      assert.match((await kafkaPart().missing({ cacheDir })) ?? '', /this is Java 11/);
      await writeFile(path.join(cacheDir, 'java'), `#!/bin/sh\necho 'openjdk version "25" 2025-09-16' >&2\n`);
      assert.match((await kafkaPart().missing({ cacheDir })) ?? '', /^Maven is needed to download Kafka: .*--docker/);
    });
  });

  test('PostgreSQL has all it needs in node_modules', async () => {
    assert.equal(await postgresPart().missing({ cacheDir: folder }), undefined);
  });
});

describe('downloads', () => {
  const DOWNLOAD: Download = { name: 'thing-1', title: 'Thing', artifacts: ['a:b:1'], bytes: 10 };

  /** Stands for Maven: first on the PATH. Counts its calls in `calls`. */
  async function withMaven<Result>(script: string, use: (cacheDir: string) => Promise<Result>): Promise<Result> {
    const bin = await mkdtemp(path.join(folder, 'maven-'));
    await writeFile(
      path.join(bin, 'mvn'),
      `#!/bin/sh\necho x >> '${bin}/calls'\nfor a; do case "$a" in -DoutputDirectory=*) OUT="\${a#*=}";; esac; done\n${script}\n`,
    );
    await chmod(path.join(bin, 'mvn'), 0o755);
    const before = process.env['PATH'];
    process.env['PATH'] = `${bin}${path.delimiter}${before}`;
    try {
      await mkdir(path.join(bin, 'cache'));
      return await use(path.join(bin, 'cache'));
    } finally {
      process.env['PATH'] = before;
    }
  }

  const calls = async (cacheDir: string): Promise<number> =>
    (await readFile(path.join(cacheDir, '..', 'calls'), 'utf8')).trim().split('\n').length;

  test('of several at once one downloads, and later ones need nothing', async () => {
    await withMaven('sleep 0.3; echo jar > "$OUT/a.jar"', async (cacheDir) => {
      const found = await Promise.all([1, 2, 3].map(() => fetchJars(DOWNLOAD, contextOf({ cacheDir }))));
      assert.deepEqual(new Set(found), new Set([downloadFolder(cacheDir, DOWNLOAD)]));
      assert.equal(await readFile(path.join(found[0] ?? '', 'a.jar'), 'utf8'), 'jar\n');
      await fetchJars(DOWNLOAD, contextOf({ cacheDir }));
      assert.equal(await calls(cacheDir), 1);
      assert.deepEqual(await readdir(cacheDir), ['thing-1'], 'nothing is left beside it');
    });
  });

  test('a failure says what Maven said, and leaves nothing', async () => {
    const script = `echo '[INFO] noise'; echo '[ERROR] no such artifact'; echo half > "$OUT/a.jar"; exit 1`;
    await withMaven(script, async (cacheDir) => {
      await assert.rejects(fetchJars(DOWNLOAD, contextOf({ cacheDir })), {
        code: 'SLC_PART_DOWNLOAD',
        message: 'Maven could not download Thing\n  [ERROR] no such artifact',
      });
      assert.deepEqual(await readdir(cacheDir), []);
    });
  });

  test('a lock whose holder has ended is taken over', async () => {
    await withMaven('echo jar > "$OUT/a.jar"', async (cacheDir) => {
      const lock = `${downloadFolder(cacheDir, DOWNLOAD)}.lock`;
      await writeFile(lock, JSON.stringify({ pid: process.pid, startTime: 'long ago' }));
      await fetchJars(DOWNLOAD, contextOf({ cacheDir }));
      assert.deepEqual(await readdir(cacheDir), ['thing-1']);
    });
  });

  test('is given up at once', async () => {
    await withMaven('sleep 1000', async (cacheDir) => {
      const abort = new AbortController();
      const fetching = fetchJars(DOWNLOAD, contextOf({ cacheDir, signal: abort.signal }));
      const deadline = Date.now() + DEADLINE_MS;
      while (!existsSync(path.join(cacheDir, '..', 'calls'))) {
        assert.ok(Date.now() < deadline, 'Maven runs');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      abort.abort();
      await assert.rejects(fetching, { code: 'SLC_PART_DOWNLOAD', message: /was given up/ });
      assert.deepEqual(await readdir(cacheDir), []);
    });
  });

  test('megabytes are counted from what Maven tells', async () => {
    const script = `echo 'Downloaded from central: https://host/a.jar (1.5 kB at 2 MB/s)'; echo 'Downloaded from m: https://host/b (20 B at 1 B/s)'; echo jar > "$OUT/a.jar"`;
    await withMaven(script, async (cacheDir) => {
      const seen: (number | undefined)[] = [];
      await fetchJars(DOWNLOAD, contextOf({ cacheDir, progress: (_, bytes) => seen.push(bytes?.done) }));
      assert.deepEqual([seen[0], seen.at(-1)], [0, 1_520]);
    });
  });
});
