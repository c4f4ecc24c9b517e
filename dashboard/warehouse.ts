/** The gold tables as PostgreSQL has them: the newest rows, and the figures of a chart. It reads and nothing else. */
import { Client } from 'pg';
import type { Probe } from './probe.ts';
import type { ChartNow, GoldTableNow } from './snapshot.ts';

type Column = GoldTableNow['columns'][number];

/** How a table is shown. SQL is ours and takes no parameters. */
export interface GoldView {
  /** `<schema>.<table>`. */
  readonly table: string;
  /** One line for people. */
  readonly about: string;
  readonly columns: readonly Column[];
  /** Rows that are shown; all of them without. */
  readonly where?: string;
  /** What comes first is newest. */
  readonly orderBy: string;
  readonly chart: {
    readonly kind: ChartNow['kind'];
    readonly title: string;
    readonly unit: string;
    /** 'bars': label and value, in order; 'series': at (a timestamp), label and value. */
    readonly sql: string;
  };
}

/** Options of `createWarehouseProbe`. */
export interface WarehouseOptions {
  readonly connectionString: string;
  readonly views: readonly GoldView[];
  readonly everyMs?: number;
  readonly timeoutMs?: number;
}

const ROWS = 6;
/** Series and points beyond these make no chart that one can read. */
const MAX_BARS = 12;
const MAX_SERIES = 6;
const CELL_LENGTH = 200;
/** No such table or schema: the sink has not made it yet. */
const NOT_THERE = new Set(['42P01', '3F000']);
/** A statement took too long; other tables may answer. */
const TOO_LONG = '57014';

/** Asks over one connection, in transactions that can only read. What it opened is closed after a failure and opened again by the next question. */
export function createWarehouseProbe(options: WarehouseOptions): Probe<readonly GoldTableNow[]> {
  const timeoutMs = options.timeoutMs ?? 5_000;
  let client: Client | undefined;
  const reset = (): void => {
    const old = client;
    client = undefined;
    void old?.end().catch(() => undefined);
  };
  const connect = async (): Promise<Client> => {
    const made = new Client({
      connectionString: options.connectionString,
      application_name: 'sluice dashboard',
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      statement_timeout: Math.floor(timeoutMs / 2),
      idle_in_transaction_session_timeout: timeoutMs * 2,
      options: '-c default_transaction_read_only=on',
    });
    // A connection that breaks is told by the query that needs it.
    made.on('error', () => undefined);
    client = made;
    await made.connect();
    return made;
  };
  return {
    name: 'PostgreSQL',
    everyMs: options.everyMs ?? 3_000,
    timeoutMs: timeoutMs * 2,
    async read(deadline) {
      const asked = client ?? (await connect());
      const tables: GoldTableNow[] = [];
      for (const view of options.views) tables.push(await readView(asked, view, deadline));
      return tables;
    },
    reset,
  };
}

async function readView(client: Client, view: GoldView, deadline: number): Promise<GoldTableNow> {
  const { table, about, columns, where = 'true', orderBy, chart } = view;
  const shown = { name: table, about, columns };
  if (Date.now() > deadline) return { ...shown, ...NOTHING, problem: 'the other tables took all the time' };
  try {
    const [schema = '', name = ''] = table.split('.');
    // Names of their own: `order by` would take a text of the same name for the column.
    const names = columns.map((column, i) => `${expressionOf(column)} as shown_${i}`).join(', ');
    const newest = await client.query<(string | null)[]>({
      text: `select ${names} from ${table} where ${where} order by ${orderBy} limit ${ROWS}`,
      rowMode: 'array',
    });
    const counted = await client.query<{ rows: string }>(
      'select n_live_tup as rows from pg_stat_user_tables where schemaname = $1 and relname = $2',
      [schema, name],
    );
    const figures = await client.query<Figure>(chart.sql);
    return {
      ...shown,
      // PostgreSQL's own count comes late.
      rows: Math.max(Number(counted.rows[0]?.rows ?? 0), newest.rows.length),
      newest: newest.rows.map((row) => row.map((cell) => cell && cell.slice(0, CELL_LENGTH))),
      chart: chartOf(chart, figures.rows),
      problem: null,
    };
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (NOT_THERE.has(code)) return { ...shown, ...NOTHING, problem: 'no rows yet' };
    if (code === TOO_LONG) return { ...shown, ...NOTHING, problem: 'the query took too long' };
    throw error;
  }
}

const NOTHING = { rows: null, newest: [], chart: null } as const;

function expressionOf({ name, kind }: Column): string {
  return kind === 'time' ? `to_char(${name} at time zone 'UTC', 'YYYY-MM-DD HH24:MI')` : `${name}::text`;
}

interface Figure {
  readonly at?: Date;
  readonly label: string | null;
  readonly value: string | number;
}

/** The figures as a chart: the labels with the largest sums stay, the others become one. */
export function chartOf({ kind, title, unit }: GoldView['chart'], figures: readonly Figure[]): ChartNow {
  const rows = figures.map(({ at, label, value }) => ({
    at: at?.getTime() ?? 0,
    label: (label ?? '(none)').slice(0, CELL_LENGTH),
    value: Number(value),
  }));
  if (kind === 'bars') {
    return { kind, title, unit, bars: rows.slice(0, MAX_BARS).map(({ label, value }) => ({ label, value })) };
  }
  const times = [...new Set(rows.map(({ at }) => at))].toSorted((a, b) => a - b);
  const sums = [...Map.groupBy(rows, ({ label }) => label)]
    .map(([label, of]) => ({ label, sum: of.reduce((sum, { value }) => sum + value, 0) }))
    .toSorted((a, b) => b.sum - a.sum || (a.label < b.label ? -1 : 1));
  const kept = sums.length > MAX_SERIES ? sums.slice(0, MAX_SERIES - 1) : sums;
  const names = kept.map(({ label }) => label);
  const others = sums.length > MAX_SERIES ? ['others'] : [];
  const series = [...names, ...others].map((label, i) => {
    const isOthers = i === names.length;
    const own = rows.filter((row) => (isOthers ? !names.includes(row.label) : row.label === label));
    const byTime = Map.groupBy(own, ({ at }) => at);
    return { label, values: times.map((at) => (byTime.get(at) ?? []).reduce((sum, { value }) => sum + value, 0)) };
  });
  return { kind, title, unit, times, series };
}
