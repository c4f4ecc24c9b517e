/** How old an event is when a reader of PostgreSQL sees its row: by probes, events of keys of their own that go the way of all others. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { SluiceError } from '#topology';

/** A table that counts events while their window lasts, and a kind of event that nobody else sends under its key. */
export interface ProbedTable {
  /** `<schema>.<table>`. */
  readonly table: string;
  /** What counts the events of a row. */
  readonly column: string;
  readonly event: string;
  /** Besides eventId and occurredAt. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Of the row that a probe of this instant is counted in, when it has come. */
  key(occurredAt: number): string;
}

/** What came of the probes of one table. Times in ms; null when none was seen. */
export interface Freshness {
  readonly table: string;
  readonly sent: number;
  readonly seen: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** How it is measured. */
export interface FreshnessOptions {
  readonly tables: readonly ProbedTable[];
  /** Sends one event; rejects when it is not taken. */
  readonly send: (event: string, properties: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Counts by key, as a reader sees them now; a key without a row is left out. */
  readonly read: (table: ProbedTable, keys: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  /** Of each table. */
  readonly perSecond: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

interface Probe {
  readonly occurredAt: number;
  readonly key: string;
  /** The row counts so many when it is there. */
  readonly count: number;
  seenAt?: number;
}

const POLL_MS = 10;
/** What is not there by then is missing. */
const LAST_MS = 30_000;
const HTTP_MS = 5_000;

/**
 * Probes of every table at a steady rate; each is timed from the instant it says it happened to the end of the first query that counts it. All tables at once,
 * on the clock of this process.
 */
export async function measureFreshness(options: FreshnessOptions): Promise<Freshness[]> {
  return await Promise.all(options.tables.map((table) => measureTable(options, table)));
}

async function measureTable(options: FreshnessOptions, table: ProbedTable): Promise<Freshness> {
  const { send, read, perSecond, seconds, signal } = options;
  const total = Math.round(perSecond * seconds);
  const probes: Probe[] = [];
  const counts = new Map<string, number>();
  const begun = Date.now();
  const sending: Promise<void>[] = [];
  let failure: unknown;
  /** Sends those that are due. */
  const sendDue = async (): Promise<void> => {
    while (probes.length < total && Date.now() >= begun + (probes.length * 1_000) / perSecond) {
      const occurredAt = Date.now();
      const key = table.key(occurredAt);
      // Rows of an earlier measurement count too.
      if (!counts.has(key)) counts.set(key, (await read(table, [key])).get(key) ?? 0);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      probes.push({ occurredAt, key, count });
      const properties = { ...table.properties, eventId: randomUUID(), occurredAt };
      sending.push(send(table.event, properties).catch((error: unknown) => void (failure ??= error)));
    }
  };
  const end = begun + seconds * 1_000 + LAST_MS;
  while (!signal.aborted && Date.now() < end) {
    await sendDue();
    if (failure !== undefined) throw failure;
    const open = probes.filter(({ seenAt }) => seenAt === undefined);
    if (open.length === 0 && probes.length === total) break;
    if (open.length > 0) see(open, await read(table, [...new Set(open.map(({ key }) => key))]));
    await sleep(POLL_MS);
  }
  await Promise.all(sending);
  return freshnessOf(table.table, probes);
}

/** The clock is read behind the query: what it found was there by then. */
function see(open: readonly Probe[], found: ReadonlyMap<string, number>): void {
  const now = Date.now();
  for (const probe of open) if ((found.get(probe.key) ?? 0) >= probe.count) probe.seenAt = now;
}

function freshnessOf(table: string, probes: readonly Probe[]): Freshness {
  const ages = probes
    .flatMap(({ occurredAt, seenAt }) => (seenAt === undefined ? [] : [seenAt - occurredAt]))
    .toSorted((a, b) => a - b);
  const at = (share: number): number | null => ages[Math.max(0, Math.ceil(share * ages.length) - 1)] ?? null;
  return { table, sent: probes.length, seen: ages.length, p50: at(0.5), p99: at(0.99), max: ages.at(-1) ?? null };
}

/** Sends to a collector, one event per request. SluiceError SLC_FRESHNESS_PROBE when it is not taken. */
export function sendTo(url: string, key: string): FreshnessOptions['send'] {
  return async (event, properties) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    const body = JSON.stringify({ event, properties });
    const signal = AbortSignal.timeout(HTTP_MS);
    const answer = await fetch(new URL('/v1/events', url), { method: 'POST', headers, body, signal }).then(
      async (response) => (response.ok ? undefined : `${response.status} ${(await response.text()).slice(0, 200)}`),
      (error: unknown) => String(error),
    );
    if (answer === undefined) return;
    throw new SluiceError('SLC_FRESHNESS_PROBE', `the collector did not take a probe: ${answer}`, {
      hint: 'is `sluice sources` running? SLUICE_COLLECTOR_KEY is its key (dev)',
    });
  };
}

/** Reads a warehouse, as any reader does. Call `close`. */
export async function readerOf(
  connectionString: string,
): Promise<{ readonly read: FreshnessOptions['read']; close(): Promise<void> }> {
  const client = new Client({ connectionString, connectionTimeoutMillis: HTTP_MS, statement_timeout: HTTP_MS });
  client.on('error', () => undefined);
  await client.connect();
  return {
    async read({ table, column }, keys) {
      const [schema = '', name = ''] = table.split('.', 2).map((part) => client.escapeIdentifier(part));
      const { rows } = await client.query<{ key: string; count: string }>(
        `select key, ${client.escapeIdentifier(column)}::text as count from ${schema}.${name} where key = any($1)`,
        [keys],
      );
      return new Map(rows.map(({ key, count }) => [key, Number(count)]));
    },
    close: () => client.end(),
  };
}
