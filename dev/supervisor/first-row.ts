/** When does the first new row of gold stand in PostgreSQL? */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';

const EVERY_MS = 250;
const QUERY_MS = 5_000;

/** Resolves with the wall clock when a row of schema gold is new or changed since the call; undefined when aborted first. */
export async function firstGoldRow(connectionString: string, signal: AbortSignal): Promise<number | undefined> {
  let before: string | undefined;
  while (!signal.aborted) {
    const state = await goldState(connectionString).catch(() => undefined);
    before ??= state;
    if (state !== undefined && before !== undefined && state !== before) return Date.now();
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** A text that changes with the rows: tables with the newest offset of each partition; tables without rows are left out. */
async function goldState(connectionString: string): Promise<string> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: QUERY_MS,
    query_timeout: QUERY_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows: tables } = await client.query<{ name: string }>(
      `select table_name as name from information_schema.columns where table_schema = 'gold' and column_name = '_offset' order by 1`,
    );
    let state = '';
    for (const { name } of tables) {
      const table = `gold.${escapeIdentifier(name)}`;
      const { rows } = await client.query<{ tops: string | null }>(
        `select string_agg(p || ':' || top, ',' order by p) as tops from (select _partition as p, max(_offset) as top from ${table} group by _partition) t`,
      );
      const tops = rows[0]?.tops ?? null;
      if (tops !== null) state += `${name} ${tops};`;
    }
    return state;
  } finally {
    await client.end().catch(() => undefined);
  }
}
