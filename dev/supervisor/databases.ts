/** What the roles expect to find: the shop's database and tables in MySQL. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { ConfigError } from '#topology';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;
const CONNECT_MS = 5_000;
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']);

/**
 * Makes the database of the URL and its tables when they are not there. The script says IF NOT EXISTS: what is there stays. A server that is away
 * is waited for until `signal`; `say` is told so once per reason.
 */
export async function prepareShop(
  url: string,
  scriptFile: string,
  signal: AbortSignal,
  say: (line: string) => void = () => undefined,
): Promise<void> {
  const script = await readFile(scriptFile, 'utf8');
  let told: string | undefined;
  for (let delay = FIRST_RETRY_MS; ; delay = Math.min(MAX_RETRY_MS, delay * 2)) {
    try {
      await apply(url, script);
      return;
    } catch (error) {
      const { code, message } = reasonOf(error);
      const where = new URL(url).host;
      if (!AWAY.has(code)) {
        throw new ConfigError('SLC_CONFIG_OPTION', `the shop cannot be made in MySQL at ${where}: ${message}`, {
          hint: 'its address is SLUICE_MYSQL (mysql://user:password@host:port/shop); the user must be able to create tables there',
          cause: error,
        });
      }
      if (told !== code) say(`waits for MySQL at ${where}: ${code}`);
      told = code;
      await sleep(delay, undefined, { signal });
    }
  }
}

function reasonOf(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const code = 'code' in error ? String(error.code) : '';
  return { code, message: error.message === '' ? code : error.message };
}

async function apply(url: string, script: string): Promise<void> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const database = decodeURIComponent(pathname.slice(1)) || 'shop';
  const connection = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    connectTimeout: CONNECT_MS,
    multipleStatements: true,
  });
  // A connection that dies between two statements must not end the process.
  connection.on('error', () => undefined);
  try {
    await connection.query('CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4', [database]);
    await connection.query('USE ??', [database]);
    await connection.query(script);
  } finally {
    connection.destroy();
  }
}
