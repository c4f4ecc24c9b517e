/** Where PostgreSQL's binaries and data lie, and who runs it. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigError } from '#topology';
import { run } from './command.ts';

export interface Places {
  readonly binaries: string;
  readonly data: string;
  /** Whom it runs as, when this process is root: PostgreSQL refuses root. */
  readonly user: User | undefined;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Says where the data is, when it is not here. */
const ELSEWHERE = 'DATA_IS_IN';
/** A temporary folder that a restart of the machine does not empty. */
const LASTING = '/var/tmp';

/**
 * The data is `<dataDir>/data`. As root PostgreSQL runs as another user. When he cannot reach binaries or data (a clone below root's home, 0700),
 * both lie below the temporary folders instead, and `<dataDir>/DATA_IS_IN` says where the data is.
 */
export async function findPlaces(
  { binaries, version }: { readonly binaries: string; readonly version: string },
  dataDir: string,
): Promise<Places> {
  const data = path.join(dataDir, 'data');
  if (process.getuid?.() !== 0) return { binaries, data, user: undefined };
  const user = await unprivileged();
  const reachable =
    (await canEnter(user, dataDir)) &&
    (await canEnter(user, path.join(binaries, 'bin'))) &&
    (await canEnter(user, path.join(binaries, 'lib')));
  if (reachable) return { binaries, data, user };
  const folder = elsewhere(dataDir);
  await ownFolder(folder);
  await writeFile(path.join(dataDir, ELSEWHERE), `${folder}\n`);
  return { binaries: await copyOf(binaries, version), data: path.join(folder, 'data'), user };
}

/** Deletes the data, wherever it lies. */
export async function removePlaces(dataDir: string): Promise<void> {
  const folder = elsewhere(dataDir);
  if (existsSync(path.join(dataDir, ELSEWHERE)) && (await isOurs(folder))) {
    await rm(folder, { recursive: true, force: true });
  }
  await rm(dataDir, { recursive: true, force: true });
}

/** By the path, not by what the file says: a copy of a clone has data of its own. */
function elsewhere(dataDir: string): string {
  const parent = existsSync(LASTING) ? LASTING : tmpdir();
  return path.join(parent, `sluice-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`);
}

/** `postgres` where there is one, else `nobody`: it has to be in the list of users, and none is added to it. */
async function unprivileged(): Promise<User> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  const [uid, gid] = [Number(found?.[2]), Number(found?.[3])];
  if (found === undefined || !Number.isSafeInteger(uid) || !Number.isSafeInteger(gid)) {
    throw new ConfigError('SLC_PART_MISSING', 'PostgreSQL does not run as root, and there is no other user for it', {
      where: 'postgres',
      hint: 'add a user (useradd --system postgres), or start Sluice as a plain user',
    });
  }
  return { uid, gid };
}

async function canEnter(user: User, folder: string): Promise<boolean> {
  const { code } = await run('/bin/sh', ['-c', 'cd "$0"', folder], { ...user, cwd: '/' });
  return code === 0;
}

/** The binaries where everybody reaches them; copied once per version. */
async function copyOf(binaries: string, version: string): Promise<string> {
  const target = path.join(tmpdir(), `sluice-postgres-${version}-${process.arch}`);
  if (existsSync(target)) {
    await assertOurs(target);
    return target;
  }
  const draft = `${target}-${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(draft, { mode: 0o700 });
    await cp(binaries, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await rename(draft, target);
  } catch (error) {
    // Another clone was faster.
    if (!existsSync(target)) throw error;
    await assertOurs(target);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** A folder that others may pass through and not look into. */
async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await assertOurs(folder);
  await chmod(folder, 0o711);
}

async function isOurs(folder: string): Promise<boolean> {
  try {
    const found = await lstat(folder);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Its name can be guessed, and everybody may make folders there. */
async function assertOurs(folder: string): Promise<void> {
  if (await isOurs(folder)) return;
  throw new ConfigError('SLC_PART_START', `${folder} belongs to somebody else`, {
    where: 'postgres',
    hint: 'delete it, or set TMPDIR to another folder',
  });
}
