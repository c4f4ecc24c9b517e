/** Where PostgreSQL says that the sink is. */
import { Client } from 'pg';

const TIMEOUT_MS = 5_000;
const SQL =
  'select topic, partition, next_offset from sluice.sink_offsets where application = $1 and next_offset is not null';

/** Next offset by `<topic>/<partition>`. Empty before the sink has made its tables; rejects with pg's error while the server is away. */
export async function postgresPositions(connectionString: string, app: string): Promise<Map<string, bigint>> {
  const client = new Client({
    connectionString,
    application_name: 'sluice lag',
    connectionTimeoutMillis: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
  });
  // A connection that breaks is told by the query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ topic: string; partition: number; next_offset: string }>(SQL, [app]);
    return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, BigInt(row.next_offset)]));
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === UNDEFINED_TABLE || code === INVALID_SCHEMA) return new Map();
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const UNDEFINED_TABLE = '42P01';
const INVALID_SCHEMA = '3F000';
