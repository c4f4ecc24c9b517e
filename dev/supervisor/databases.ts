/** What the roles expect to find: the shop's database and tables in MySQL. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';

const WAIT_MS = 60_000;
const RETRY_MS = 500;
const CONNECT_MS = 5_000;
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']);

/** Makes the database of the URL and its tables when they are not there. The script says IF NOT EXISTS: what is there stays. */
export async function prepareShop(url: string, scriptFile: string, signal: AbortSignal): Promise<void> {
  const script = await readFile(scriptFile, 'utf8');
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    try {
      await apply(url, script);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!AWAY.has(code) || Date.now() > deadline) throw error;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
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
