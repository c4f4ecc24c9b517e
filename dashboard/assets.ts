/** The page's files: read once, TypeScript with its types taken out, so that the browser gets what the compiler has checked. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { stripTypeScriptTypes } from 'node:module';

/** A file as it is served. */
export interface Asset {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** By file name. Nothing else is served: a request never touches the disk. */
export async function loadAssets(folder: string = join(import.meta.dirname, 'page')): Promise<Map<string, Asset>> {
  const assets = new Map<string, Asset>();
  for (const name of await readdir(folder)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const text = await readFile(join(folder, name), 'utf8');
    const body = Buffer.from(name.endsWith('.ts') ? stripTypeScriptTypes(text) : text);
    assets.set(name, { body, type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` });
  }
  return assets;
}
