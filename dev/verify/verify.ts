/** `sluice verify`: waits until everything has caught up, then compares every row of silver and gold with what bronze demands. */
import {
  type KafkaAdmin,
  type KafkaClient,
  lateTopicOf,
  RetriableError,
  type Schema,
  type SerdeFactory,
  SluiceError,
  type Topology,
} from '#topology';
import { type Comparison, compareCount, compareRows } from './compare.ts';
import { dumpBronze, dumpClocks, type DumpOptions, dumpOutputs, type Frozen, freeze, type Outputs } from './dump.ts';
import { ErasedUsers, type PersonalTables } from './erased-rows.ts';
import { FLINK_TABLES, type SecondEngine } from './flink/flink.ts';
import { readLateEntries } from './flink/late-records.ts';
import { Lake, type LakeView } from './lake.ts';
import { OracleDatabase } from './oracle-database.ts';
import { AppProgress } from './progress.ts';
import { idOf, type Range, rangesOf } from './read-topics.ts';
import {
  BRONZE_TOPICS,
  columnsOf,
  type Definitions,
  type RecordDefinition,
  type Row,
  VERIFIED_TABLES,
  type VerifiedTable,
} from './tables.ts';
import { Warehouse } from './warehouse.ts';

/** What verify needs. `schemas`: of values under the topic's name, of keys under `<topic>-key`; those of values are Avro records. */
export interface VerifyOptions {
  readonly client: KafkaClient;
  readonly serdes: SerdeFactory;
  readonly schemas: Readonly<Record<string, Schema<unknown>>>;
  readonly topology: Topology;
  /** postgres://user:password@host:port/database. */
  readonly postgres: string;
  /** With it the oracles read bronze from there, and every row of it is compared with its topic. */
  readonly lake?: LakeView | undefined;
  /** With it rows of users who were erased are left out. */
  readonly personal?: PersonalTables | undefined;
  /** With it FLINK_TABLES in Kafka are compared with what it makes of bronze and silver, too. */
  readonly flink?: SecondEngine | undefined;
  /** For all of it but Flink's work, ms. */
  readonly timeoutMs: number;
  /** What it does or waits for, for people; called when that changes. */
  progress(text: string): void;
}

/** What came of one table, where it was read. */
export interface TableResult {
  readonly table: string;
  readonly place: 'Kafka' | 'PostgreSQL' | 'lake';
  /** Who said what it must have; absent: the SQL oracles, for the lake the topic. */
  readonly by?: 'Flink';
  readonly rows: Comparison;
  /** Records in `<table>.late`; absent where there is no such topic, or for the warehouse. */
  readonly late: Comparison | undefined;
  /** Of the lake: records that its sink's dead letters hold instead. */
  readonly dead?: number;
  /** Expected rows of users who were erased: not compared. */
  readonly erased?: number;
}

const POLL_MS = 300;

/**
 * Compares every row. The producers must have stopped, or the inputs never come to rest. SluiceError SLC_VERIFY_DEADLINE when something has not
 * caught up in time (it says what), SLC_VERIFY_TOPIC, SLC_VERIFY_TRIMMED and SLC_VERIFY_TABLE when something is not there to be compared.
 */
export async function verifyTables(options: VerifyOptions): Promise<TableResult[]> {
  const run = new Verification(options, await options.client.admin());
  try {
    return await run.compare();
  } finally {
    await run.close();
  }
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #admin: KafkaAdmin;
  readonly #progress: AppProgress;
  readonly #warehouse: Warehouse;
  readonly #deadline: number;
  readonly #dump: DumpOptions;
  readonly #definitions: Definitions;
  readonly #lake: Lake | undefined;
  #said = '';

  constructor(options: VerifyOptions, admin: KafkaAdmin) {
    const { client, serdes, schemas, topology, postgres, lake, timeoutMs } = options;
    this.#options = options;
    this.#admin = admin;
    this.#progress = new AppProgress(client, admin, topology);
    this.#warehouse = new Warehouse(postgres);
    this.#deadline = Date.now() + timeoutMs;
    this.#dump = { client, serdes, schemas, app: topology.app, deadline: this.#deadline };
    this.#lake = lake === undefined ? undefined : new Lake(lake, this.#dump);
    this.#definitions = Object.fromEntries(
      VERIFIED_TABLES.map(({ name }) => [name, (schemas[name]?.definition ?? { fields: [] }) as RecordDefinition]),
    );
  }

  async compare(): Promise<TableResult[]> {
    for (;;) {
      await this.#until(() => this.#progress.records());
      await this.#until(() => this.#progress.hints(this.#deadline));
      const results = await this.#compareOnce(await freeze(this.#admin, this.#options.topology));
      if (results !== undefined) return results;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#warehouse.close(), this.#admin.close().catch(() => undefined)]);
  }

  /** undefined when an input moved meanwhile. */
  async #compareOnce(frozen: Frozen): Promise<TableResult[] | undefined> {
    const database = await OracleDatabase.open();
    try {
      await this.#readBronze(frozen, database);
      const bronze = await this.#lakeResults(BRONZE_TOPICS, frozen.bronze);
      this.#say('running the oracles');
      await database.run();
      // Rows that the lake lacks may be those that hold the stages back: what the oracles expect of the rest may never come.
      if (bronze.every(({ rows }) => rows.ok)) {
        const wanted = promisesOf(await database.watermarks());
        await this.#until(() => this.#progress.promised(wanted, this.#deadline));
      }
      await this.#until(() => this.#progress.records());
      await this.#until(() => this.#progress.hints(this.#deadline));
      const settled = await freeze(this.#admin, this.#options.topology);
      if (!sameInputs(frozen, settled)) return this.#again();
      this.#say('reading silver and gold');
      const outputs = await dumpOutputs(this.#dump, settled, this.#definitions);
      await this.#until(() => this.#warehouse.behind(this.#options.topology.app, lastOffsets(outputs)));
      const { client, topology, personal } = this.#options;
      const who = { app: topology.app, personal, deadline: this.#deadline };
      const erased = await ErasedUsers.read(client, this.#admin, who);
      const results = await this.#results(database, outputs, erased);
      const second = await this.#flinkResults(database, settled, outputs, erased);
      return [...results, ...second, ...bronze, ...(await this.#lakeResults(this.#otherTopics()))];
    } finally {
      database.close();
    }
  }

  async #readBronze(frozen: Frozen, into: OracleDatabase): Promise<void> {
    const lake = this.#lake;
    if (lake === undefined) {
      this.#say('reading bronze and the ledger');
      const undecodable = await dumpBronze(this.#dump, frozen, into);
      if (undecodable > 0) this.#say(`${undecodable} records of bronze do not decode; no table may hold them`);
    } else {
      await this.#until(() => lake.behind(frozen.bronze));
      this.#say('reading bronze from the lake, and the ledger');
      await lake.load(BRONZE_TOPICS, into);
    }
    await dumpClocks(this.#dump, frozen, into);
  }

  /** Topics of the lake that no oracle reads. */
  #otherTopics(): string[] {
    return this.#lake?.topics.filter((topic) => !BRONZE_TOPICS.some((bronze) => bronze === topic)) ?? [];
  }

  /** Without ranges the ends are taken now: silver and gold are complete, and topics that no stage reads may still grow. */
  async #lakeResults(topics: readonly string[], ranges?: readonly Range[]): Promise<TableResult[]> {
    const lake = this.#lake;
    if (lake === undefined) return [];
    const compared = ranges ?? (await rangesOf(this.#admin, topics));
    await this.#until(() => lake.behind(compared));
    const dead = await rangesOf(this.#admin, lake.deadLetters);
    const results = await lake.compare(topics, compared, dead, (text) => this.#say(text));
    return results.map(({ topic, ...rest }) => ({ table: topic, place: 'lake', late: undefined, ...rest }));
  }

  #again(): undefined {
    this.#say('the inputs still grow; are all producers stopped?');
  }

  async #results(database: OracleDatabase, outputs: Outputs, erased: ErasedUsers): Promise<TableResult[]> {
    const results: TableResult[] = [];
    for (const table of VERIFIED_TABLES) {
      this.#say(`comparing ${table.name}`);
      const columns = columnsOf(table, this.#definitions);
      const { name, identity } = table;
      const expected = await database.rows(name, columns);
      const found = (outputs.rows.get(name) ?? []).map(({ row }) => row);
      const last = lastPerKey(found);
      // Whose a tombstone is, the rows before it tell: so what is left out is decided on all of them.
      const left = erased.without(name, 'Kafka', columns, expected, found);
      const actual = table.rows === 'last' ? [...lastPerKey(left.actual).values()] : left.actual;
      const rows = compareRows(name, columns, identity, left.expected, actual);
      const late = table.late
        ? compareCount(`${name}.late`, await database.late(name), outputs.late.get(`${name}.late`) ?? 0)
        : undefined;
      results.push({ table: name, place: 'Kafka', rows, late, erased: left.erased });
      if (table.warehouse) results.push(await this.#warehouseResult(table, columns, expected, last, erased));
    }
    return results;
  }

  /** What a second engine makes of the same records, against the topics. */
  async #flinkResults(
    database: OracleDatabase,
    settled: Frozen,
    outputs: Outputs,
    erased: ErasedUsers,
  ): Promise<TableResult[]> {
    const { flink } = this.#options;
    if (flink === undefined) return [];
    this.#say('Flink computes windows and sessions of its own');
    const tables = VERIFIED_TABLES.filter(({ name }) => FLINK_TABLES.some((each) => each === name));
    const lateTopics = new Set(tables.map(({ name }) => lateTopicOf(name)));
    const late = await readLateEntries(
      this.#dump,
      settled.outputs.filter(({ topic }) => lateTopics.has(topic)),
    );
    const columns = new Map(VERIFIED_TABLES.map((table) => [table.name, columnsOf(table, this.#definitions)] as const));
    const rowsOf = (name: string): Row[] => (outputs.rows.get(name) ?? []).map(({ row }) => row);
    const silver = 'silver.purchases_enriched';
    const dump = { late, purchases: rowsOf(silver), columns: columns.get(silver) ?? [] };
    const wanted = await flink.rows(database, dump, columns);
    return tables.map(({ name, rows, identity }): TableResult => {
      const names = columns.get(name) ?? [];
      const left = erased.without(name, 'Kafka', names, wanted.get(name) ?? [], rowsOf(name));
      const actual = rows === 'last' ? [...lastPerKey(left.actual).values()] : left.actual;
      const compared = compareRows(`${name} by Flink`, names, identity, left.expected, actual);
      return { table: name, place: 'Kafka', by: 'Flink', rows: compared, late: undefined, erased: left.erased };
    });
  }

  async #warehouseResult(
    table: VerifiedTable,
    columns: readonly string[],
    expected: readonly Row[],
    last: ReadonlyMap<string, Row>,
    erased: ErasedUsers,
  ): Promise<TableResult> {
    const definition = this.#definitions[table.name] ?? { fields: [] };
    const kept = ['_key', ...definition.fields.map((field) => field.name)];
    const narrow = (row: Row): Row => kept.map((column) => row[columns.indexOf(column)] ?? null);
    // A row per key. Of several that bronze demands under one key, log order decides, which no oracle knows.
    const wanted = new Map<string, Row>();
    for (const row of expected) {
      const key = row[0] ?? '';
      wanted.set(key, wanted.has(key) ? (last.get(key) ?? row) : row);
    }
    const isDeleted = (row: Row): boolean => table.deletes && row[columns.indexOf('_deleted')] === 'true';
    const rows = [...wanted.values()].filter((row) => !isDeleted(row)).map(narrow);
    const found = await this.#warehouse.rows(table.name, definition);
    const left = erased.without(table.name, 'PostgreSQL', kept, rows, found);
    const name = `${table.name} in PostgreSQL`;
    return {
      table: table.name,
      place: 'PostgreSQL',
      rows: compareRows(name, kept, table.identity, left.expected, left.actual),
      late: undefined,
      erased: left.erased,
    };
  }

  /** Until nothing is left to wait for. A broker that is away is waited for too. */
  async #until(check: () => Promise<string | undefined>): Promise<void> {
    for (;;) {
      const waitsFor = await check().catch((error: unknown) => {
        if (error instanceof RetriableError) return error.message;
        throw error;
      });
      if (waitsFor === undefined) return;
      this.#say(waitsFor);
      if (Date.now() >= this.#deadline) {
        throw new SluiceError('SLC_VERIFY_DEADLINE', `not caught up in time: ${waitsFor}`, {
          hint: 'are `sluice run` and `sluice sinks` running, and all producers stopped? --timeout S waits longer',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #say(text: string): void {
    if (text !== this.#said) this.#options.progress(text);
    this.#said = text;
  }
}

/** What the writers of each table promise when they have done all that they can, ms. */
function promisesOf(watermarks: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    VERIFIED_TABLES.map(
      ({ name, promise }) => [name, (watermarks.get(promise.of) ?? -Infinity) - promise.lessMs] as const,
    ),
  );
}

function sameInputs(before: Frozen, after: Frozen): boolean {
  const ends = new Map(after.bronze.map((range) => [idOf(range), range.end] as const));
  return before.bronze.every((range) => ends.get(idOf(range)) === range.end);
}

function lastOffsets(outputs: Outputs): { topic: string; partition: number; offset: bigint }[] {
  const last = new Map<string, { topic: string; partition: number; offset: bigint }>();
  for (const { name, warehouse } of VERIFIED_TABLES) {
    if (!warehouse) continue;
    for (const { partition, offset } of outputs.rows.get(name) ?? []) {
      last.set(`${name}-${partition}`, { topic: name, partition, offset: BigInt(offset) });
    }
  }
  return [...last.values()];
}

function lastPerKey(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row[0] ?? '', row]));
}
