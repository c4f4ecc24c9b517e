/** Files that are there after a power cut, whole or not at all. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConnectorError, RetriableError, SluiceError } from '#topology';

/** The code of an error of the file system. */
export function fileCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** A person must do something; all else (no space, an unplugged disk, a share that is away) may pass. */
const ACCESS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);
/** A file system without links. */
const NO_LINKS = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** The engine's error for one of the file system: ConnectorError SLC_PARQUET_ACCESS or RetriableError SLC_PARQUET_AWAY. */
export function fileError(error: unknown, root: string): Error {
  const code = fileCode(error);
  if (error instanceof Error && (error instanceof SluiceError || code === undefined)) return error;
  const message = `the lake at ${root}: ${error instanceof Error ? error.message : String(error)}`;
  const detail = { where: root, cause: error };
  if (code !== undefined && NO_LINKS.has(code)) {
    return new ConnectorError('SLC_PARQUET_ACCESS', message, {
      ...detail,
      hint: 'the file system cannot link files, which the commit needs: put the lake on another one',
    });
  }
  if (code !== undefined && ACCESS.has(code)) {
    return new ConnectorError('SLC_PARQUET_ACCESS', message, {
      ...detail,
      hint: 'let the sink read and write this folder, or correct SLUICE_LAKE',
    });
  }
  return new RetriableError('SLC_PARQUET_AWAY', message, {
    ...detail,
    hint: 'free some space or bring the disk back; the sink goes on by itself',
  });
}

/** Makes the entries of a folder durable: new names, new links, names that are gone. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder; its file system writes names ahead by itself.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder and those above it that are missing, durably. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (fileCode(error) === 'EEXIST') return;
    if (fileCode(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(path));
    await makeFolder(path);
    return;
  }
  await syncFolder(dirname(path));
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

const scratchName = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`;

/** Puts a file in place whole, replacing one of the same name. Its folder must be synced before anybody relies on the name. */
export async function putFile(path: string, content: Uint8Array): Promise<void> {
  const scratch = scratchName(path);
  try {
    await writeSynced(scratch, content);
    await rename(scratch, path);
  } catch (error) {
    await rm(scratch, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Creates a file that must not exist: of any number of callers, in any process, one gets true. A link is the compare-and-swap: the file appears
 * whole. When it throws, the file may be there nevertheless.
 */
export async function createExclusively(path: string, content: string): Promise<boolean> {
  const scratch = scratchName(path);
  try {
    await writeSynced(scratch, content);
    try {
      await link(scratch, path);
    } catch (error) {
      if (fileCode(error) === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(dirname(path));
    return true;
  } finally {
    await rm(scratch, { force: true }).catch(() => undefined);
  }
}

/** Names in a folder; none when it does not exist. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (fileCode(error) === 'ENOENT') return [];
    throw error;
  }
}
