/** `sluice freshness`: how old an event is when its row is there for a reader of PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { ConfigError, SluiceError } from '#topology';
import { measureFreshness, type ProbedTable, readerOf, sendTo } from '../../dev/inspect/freshness.ts';
import { findInstallation } from '../../dev/inspect/installation.ts';
import { paintFor, textTable } from '../../dev/inspect/text-table.ts';
import { RUN_DIRS } from '../../dev/supervisor/local-run.ts';
import { readRunFile } from '../../dev/supervisor/run-file.ts';
import { topics } from '../../processors/index.ts';

export const help = `sluice freshness [--seconds N] [--rate N] [--json]
  While npm start runs in this clone: sends N (30) seconds long so many (5) probes a second for each gold table that counts events as they come, and times each from
  its occurredAt until a query of PostgreSQL counts it: p50, p99, max. Probes are events like all others, and stay: registrations of country ZZ, load of a
  host freshness-... Exit code 1 when one is not seen within 30 s. SLUICE_COLLECTOR_KEY: the collector's key (dev).`;

const QUARTER = 15 * 60_000;
const FIVE_MINUTES = 5 * 60_000;

/** The tables whose contract counts from the event and that wait for nobody's event time. */
export function probedTables(run: string): ProbedTable[] {
  const window = (at: number, size: number): string => new Date(at - (at % size)).toISOString();
  const nobody = { userId: null, anonymousId: 'freshness', sessionId: null, email: null, channel: null };
  const host = `freshness-${run}`;
  return [
    {
      table: topics.gold.registrationsHourly.name,
      column: 'registrations',
      event: 'registration',
      properties: { ...nobody, country: 'ZZ' },
      key: (at) => `${window(at, QUARTER)}|ZZ`,
    },
    {
      table: topics.gold.systemLoad5m.name,
      column: 'samples',
      event: 'system_load',
      properties: { host, cpuPermille: 1, memoryPermille: 1 },
      key: (at) => `${window(at, FIVE_MINUTES)}|${host}`,
    },
  ];
}

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '30' },
      rate: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, perSecond] = [countOf('--seconds', values.seconds), countOf('--rate', values.rate)];
  const { postgres, collector } = local();
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
  const reader = await readerOf(postgres);
  try {
    const results = await measureFreshness({
      tables: probedTables(randomUUID().slice(0, 8)),
      send: sendTo(collector, process.env['SLUICE_COLLECTOR_KEY'] || 'dev'),
      read: reader.read,
      perSecond,
      seconds,
      signal: abort.signal,
    });
    if (values.json) process.stdout.write(`${JSON.stringify({ tables: results })}\n`);
    else {
      const titles = ['TABLE', 'PROBES', 'SEEN', 'P50', 'P99', 'MAX'];
      const columns = titles.map((title, i) => ({ title, right: i > 0 }));
      const text = (ms: number | null): string => (ms === null ? '-' : `${ms} ms`);
      const rows = results.map(({ table, sent, seen, p50, p99, max }) => [
        table,
        String(sent),
        String(seen),
        ...[p50, p99, max].map(text),
      ]);
      for (const line of textTable(columns, rows, paintFor(process.stdout, process.env))) console.log(line);
    }
    return results.every(({ sent, seen }) => sent > 0 && seen === sent) ? 0 : 1;
  } finally {
    await reader.close();
  }
}

/** Of this clone only: probes do not belong into anybody else's data. */
function local(): { postgres: string; collector: string } {
  const { postgres } = findInstallation({});
  const port = readRunFile(RUN_DIRS.long).ports['collector']?.['http'];
  if (postgres !== undefined && port !== undefined) return { postgres, collector: `http://127.0.0.1:${port}` };
  throw new SluiceError('SLC_INSPECT_NOTHING_RUNS', 'npm start does not run in this clone', {
    hint: 'npm start, in another terminal',
  });
}

function countOf(option: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new ConfigError('SLC_CONFIG_OPTION', `${option} ${text} is no whole number from 1 to 9999`);
}
