/** A database of its own per test file, a table whose every write is on record, and a line to the server that can be cut. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Client, Pool, type QueryResultRow } from 'pg';
import { createPostgresSink, type PostgresSinkOptions } from '../../../connectors/postgres/sink.ts';
import type { Logger, Sink } from '#topology';
import type { SinkHarness } from '../sink.contract.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
export const topic = 'gold.numbers';
export const definition = {
  type: 'record',
  name: 'Numbers',
  doc: 'Numbers of the contract suite.',
  fields: [
    { name: 'someNumber', type: 'long', doc: 'what the suite asks for' },
    { name: 'label', type: ['null', 'string'], default: null },
  ],
};

/** The address given to the tests. */
export function serverUrl(): string {
  const url = process.env['SLUICE_TEST_POSTGRES'];
  if (url === undefined) throw new Error('SLUICE_TEST_POSTGRES is not set: `npm test` starts the parts and sets it');
  return url;
}

export interface TestDatabase {
  readonly url: string;
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

export async function makeDatabase(): Promise<TestDatabase> {
  const name = `sink_${randomBytes(6).toString('hex')}`;
  const admin = new Client(serverUrl());
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  const pool = new Pool({ connectionString: url.href, max: 2 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    url: url.href,
    query: async <R extends QueryResultRow>(text: string, values?: unknown[]) =>
      (await pool.query<R>(text, values)).rows,
    async close() {
      await pool.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

export function makeSink(database: { url: string }, more: Partial<PostgresSinkOptions> = {}): Sink {
  return createPostgresSink({
    connectionString: database.url,
    application: 'test',
    topics: [topic],
    schemaFor: () => ({ schema: definition, table: { schema: 'gold', name: 'numbers' } }),
    logger: silent,
    ...more,
  });
}

/** Puts every insert and update of the table on record, in the same transaction. */
export async function keepHistory(database: TestDatabase): Promise<void> {
  await database.query(`create table history (position bigserial primary key, written bigint not null, partition integer not null,
    transaction xid8 not null default pg_current_xact_id())`);
  await database.query(`create function note() returns trigger language plpgsql as
    $$ begin insert into history (written, partition) values (new._offset, new._partition); return new; end $$`);
  await database.query(
    'create trigger note after insert or update on gold.numbers for each row execute function note()',
  );
}

export async function startHarness(): Promise<SinkHarness & { database: TestDatabase }> {
  const database = await makeDatabase();
  const first = makeSink(database);
  await first.open();
  await first.close();
  await keepHistory(database);
  const sinks: Sink[] = [];
  return {
    database,
    topic,
    makeSink() {
      const sink = makeSink(database, { maxConnections: 2 });
      sinks.push(sink);
      return sink;
    },
    record: (offset, key, n) => ({ offset, timestamp: 0, key, value: { someNumber: n, label: `n${n}` } }),
    poison: (offset, key) => ({ offset, timestamp: 0, key, value: { someNumber: 1, label: 'a\0b' } }),
    async rows() {
      const rows = await database.query<{ key: string; some_number: string }>(
        'select key, some_number from gold.numbers',
      );
      return new Map(rows.map((row) => [row.key, Number(row.some_number)]));
    },
    async history() {
      const rows = await database.query<{ written: string }>('select written from history order by position');
      return rows.map((row) => BigInt(row.written));
    },
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()));
      await database.close();
    },
  };
}

/** A line to the server. `cut` ends all connections; `onData` may cut one on what the client sends. */
export interface Line {
  readonly url: string;
  cut(): void;
  /** Refuses connections until `restore`. */
  away(): Promise<void>;
  restore(): Promise<void>;
  /** Called with what a client sends, after it went to the server; true = cut this line before any answer. */
  onSent: (text: string) => boolean;
  close(): Promise<void>;
}

export async function openLine(target: string): Promise<Line> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let at = 0;
  const accept = (client: Socket): void => {
    const upstream = connect(Number(port === '' ? 5432 : port), hostname);
    let dumb = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (data) => {
      upstream.write(data);
      if (!line.onSent(data.toString('latin1'))) return;
      dumb = true;
      // What was sent still reaches the server; its answer never comes back.
      client.destroy();
      upstream.end();
    });
    upstream.on('data', (data) => {
      if (!dumb) client.write(data);
    });
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
  };
  const listen = async (): Promise<void> => {
    server = createServer(accept);
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    at = (server.address() as { port: number }).port;
  };
  await listen();
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String(at);
  const line: Line = {
    url: url.href,
    onSent: () => false,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    async away() {
      const closed = server === undefined ? undefined : once(server, 'close');
      server?.close();
      line.cut();
      await closed;
      server = undefined;
    },
    restore: listen,
    close: () => line.away(),
  };
  return line;
}

/** Fails when a record was written twice, or one behind a later transaction's. Returns how many were written. */
export async function checkHistory(database: TestDatabase): Promise<number> {
  const twice = await database.query(
    'select partition, written from history group by 1, 2 having count(*) > 1 limit 5',
  );
  assert.deepEqual(twice, [], 'written twice');
  const back = await database.query(`
    select * from (select partition, transaction, min(written) as first, lag(max(written)) over (partition by partition order by min(position)) as before
                   from history group by partition, transaction) t where first <= before limit 5`);
  assert.deepEqual(back, [], 'a position went back');
  const [count] = await database.query<{ n: number }>('select count(*)::integer as n from history');
  return count?.n ?? 0;
}
