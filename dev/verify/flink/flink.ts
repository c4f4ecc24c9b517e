/**
 * A second engine as an oracle: Flink's own hopping and session windows, its watermarks and its count of each event once, over the records of a run
 * (test/oracles/flink/). Opt-in: pip installs some 330 MB the first time.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError, SluiceError } from '#topology';
import { javaCommand } from '../../parts/java.ts';
import { onPath } from '../../parts/command.ts';
import { findPython } from '../../parts/python.ts';
import type { OracleDatabase } from '../oracle-database.ts';
import { NEVER, type Row } from '../tables.ts';
import { type FlinkDump, writeInputFiles } from './input-files.ts';

/** What Flink computes: tables of VERIFIED_TABLES. */
export const FLINK_TABLES = ['gold.registrations_hourly', 'gold.sales_perf_24h', 'silver.sessions'] as const;

/** PyFlink with those of the packages it asks for that are needed when no Python code runs in the queries. */
const PACKAGES = [
  'apache-flink==2.3.0',
  'apache-flink-libraries==2.3.0',
  'py4j==0.10.9.7',
  'cloudpickle==3.1.1',
  'python-dateutil==2.9.0.post0',
  'pytz==2025.2',
  'ruamel.yaml==0.18.15',
  'six==1.17.0',
] as const;
const SCRIPT = join(import.meta.dirname, '..', '..', '..', 'test', 'oracles', 'flink', 'run.py');
const RUN_MS = 10 * 60_000;

/** An engine that says which rows a table must have, in the order of the columns asked for. */
export interface SecondEngine {
  /** All tables of FLINK_TABLES. `database`: after run(), with the bronze records in it. */
  rows(
    database: OracleDatabase,
    dump: FlinkDump,
    columns: ReadonlyMap<string, readonly string[]>,
  ): Promise<Map<string, Row[]>>;
}

/**
 * PyFlink, installed into the cache the first time. ConfigError SLC_PART_MISSING without python3 (3.9 to 3.12), pip or Java; SluiceError SLC_VERIFY_FLINK when its
 * run fails or takes too long.
 */
export async function openFlink(progress: (text: string) => void, cacheDir?: string): Promise<SecondEngine> {
  const java = javaCommand();
  const python = await findPython(PACKAGES, { progress, ...(cacheDir !== undefined && { cacheDir }) });
  const missing = python.missing ?? (java === 'java' && onPath('java') === undefined ? 'there is no Java' : undefined);
  if (python.missing !== undefined || missing !== undefined) {
    throw new ConfigError('SLC_PART_MISSING', `${missing}: --flink needs Java 17 and python3 (3.9 to 3.12) with pip`, {
      where: 'flink',
      hint: 'Debian: apt-get install openjdk-17-jre-headless python3-pip; verify without --flink needs neither',
    });
  }
  return {
    async rows(database, dump, columns) {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-flink-'));
      try {
        const behind = await writeInputFiles(database, dump, folder);
        await writeFile(join(folder, 'parameters.json'), JSON.stringify(await parametersOf(database, behind, folder)));
        // Its logs would go into the packages, where they stay.
        const env = { FLINK_LOG_DIR: folder, ...(java !== 'java' && { JAVA_HOME: dirname(dirname(java)) }) };
        await python.script(SCRIPT, [folder], { env, timeoutMs: RUN_MS }).catch((cause: unknown) => {
          throw new SluiceError('SLC_VERIFY_FLINK', `Flink did not come to its end: ${reason(cause)}`, { cause });
        });
        const tables = FLINK_TABLES.map(
          async (table) => [table, await readRows(folder, table, columns.get(table) ?? [])] as const,
        );
        return new Map(await Promise.all(tables));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** What the queries name: which windows are out follows from how far the inputs are complete, which only the pins of the ledger tell. */
async function parametersOf(
  database: OracleDatabase,
  behind: Readonly<Record<string, number>>,
  folder: string,
): Promise<Record<string, unknown>> {
  const complete = await database.watermarks();
  const of = (...topics: string[]): number =>
    Math.max(Number(NEVER), Math.min(...topics.map((topic) => complete.get(topic) ?? -Infinity)));
  const purchases = 'silver.purchases_enriched';
  return {
    folder,
    tables: FLINK_TABLES,
    ...Object.fromEntries(Object.entries(behind).map(([file, ms]) => [`${file}_behind`, ms])),
    purchases_complete: of(purchases),
    sessions_complete: of('bronze.app.pageviews', 'bronze.app.cart_events', purchases),
  };
}

async function readRows(folder: string, table: string, wanted: readonly string[]): Promise<Row[]> {
  const text = await readFile(join(folder, `${table}.rows.json`), 'utf8');
  const { columns, rows } = JSON.parse(text) as { columns: readonly string[]; rows: readonly Row[] };
  const places = wanted.map((column) => columns.indexOf(column));
  const lacks = wanted.find((_, i) => places[i] === -1);
  if (lacks !== undefined) throw new SluiceError('SLC_VERIFY_FLINK', `Flink's ${table} has no column ${lacks}`);
  return rows.map((row) => places.map((place) => row[place] ?? null));
}

/** The last line that says what went wrong: Java's stack is long. */
function reason(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n');
  return lines.findLast((line) => /^Caused by|Exception|Error/.test(line))?.slice(0, 300) ?? 'no answer';
}
