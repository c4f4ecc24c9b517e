/** The oracles at work: a DuckDB in memory that holds the dump of bronze and of the pins, and runs test/oracles/*.sql over it. */
import { readFile } from 'node:fs/promises';
import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type Row, textOf, VERIFIED_TABLES } from './tables.ts';

/** A decoded record of a bronze topic. `value` null = tombstone; decimals are bigint (unscaled). Timestamps in ms. */
export interface BronzeRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: unknown;
  readonly value: unknown;
}

/** "From offset `at` on, the clock of this partition is at least `m`" (ms). */
export interface PinRow {
  readonly topic: string;
  readonly partition: number;
  readonly at: bigint;
  readonly m: number;
}

/** Where a partition's log ended when the dump was frozen. */
export interface LogEnd {
  readonly topic: string;
  readonly partition: number;
  readonly end: bigint;
}

/** The three things that an oracle may read. */
export interface BronzeDump {
  readonly records: readonly BronzeRecord[];
  readonly pins: readonly PinRow[];
  readonly ends: readonly LogEnd[];
}

/** What is held at most; the dump of a test run is some 100 MB. */
const MEMORY_LIMIT = '2GB';
const SQL_FOLDER = new URL('../../test/oracles/', import.meta.url);
/** Watermarks beyond this are infinite to SQL too (see never() in common.sql). */
const FOREVER = 9_000_000_000_000_000;

/** What was read: tests ask for each of them hundreds of times. */
const oracles = new Map<string, Promise<string>>();

/** Changes the SQL of a file. */
export type Edit = (sql: string, file: string) => string;

/** The SQL of an oracle, by the name of its table. */
export function readOracle(name: string): Promise<string> {
  const text = oracles.get(name) ?? readFile(new URL(`${name}.sql`, SQL_FOLDER), 'utf8');
  oracles.set(name, text);
  return text;
}

/** Open one, append the dump, run(), ask, close(). Not for concurrent use. */
export class OracleDatabase {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #records: DuckDBAppender;
  readonly #pins: DuckDBAppender;
  readonly #ends: DuckDBAppender;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, appenders: readonly DuckDBAppender[]) {
    this.#instance = instance;
    this.#connection = connection;
    const [records, pins, ends] = appenders;
    if (records === undefined || pins === undefined || ends === undefined) throw new TypeError('three appenders');
    this.#records = records;
    this.#pins = pins;
    this.#ends = ends;
  }

  static async open(): Promise<OracleDatabase> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: MEMORY_LIMIT });
    const connection = await instance.connect();
    await connection.run(await readOracle('input'));
    const appenders = await Promise.all(['record', 'pin', 'log_end'].map((name) => connection.createAppender(name)));
    return new OracleDatabase(instance, connection, appenders);
  }

  /** A database with a whole dump in it. */
  static async of(dump: BronzeDump): Promise<OracleDatabase> {
    const database = await OracleDatabase.open();
    for (const record of dump.records) database.append(record);
    for (const pin of dump.pins) database.appendPin(pin);
    for (const end of dump.ends) database.appendEnd(end);
    return database;
  }

  /** For those who have records in another form: they insert into `record` of input.sql, before run(). */
  get connection(): DuckDBConnection {
    return this.#connection;
  }

  append(record: BronzeRecord): void {
    const to = this.#records;
    appendPosition(to, record, record.offset);
    to.appendBigInt(BigInt(record.timestamp));
    appendText(to, typeof record.key === 'string' ? record.key : jsonOf(record.key));
    appendText(to, jsonOf(record.value));
    to.endRow();
  }

  appendPin(pin: PinRow): void {
    appendPosition(this.#pins, pin, pin.at);
    this.#pins.appendBigInt(BigInt(Math.max(-FOREVER, Math.min(FOREVER, pin.m))));
    this.#pins.endRow();
  }

  appendEnd(end: LogEnd): void {
    appendPosition(this.#ends, end, end.end);
    this.#ends.endRow();
  }

  /** Runs every oracle over what was appended. Once. `edit` changes the SQL of a file: for tests that break a rule. */
  async run(edit: Edit = (sql) => sql): Promise<void> {
    await this.begin(edit);
    for (const { name } of VERIFIED_TABLES) await this.runOne(name, edit);
  }

  /** What the oracles have in common; then runOne(), for a table after those that it reads. */
  async begin(edit: Edit): Promise<void> {
    for (const appender of [this.#records, this.#pins, this.#ends]) appender.closeSync();
    await this.runOne('common', edit);
  }

  async runOne(file: string, edit: Edit): Promise<void> {
    await this.#connection.run(edit(await readOracle(file), file));
  }

  /** The rows that must be in a table. */
  async rows(table: string, columns: readonly string[]): Promise<Row[]> {
    const list = columns.map((column) => `CAST(${quote(column)} AS VARCHAR)`).join(', ');
    const reader = await this.#connection.runAndReadAll(`SELECT ${list} FROM oracle.${quote(table)}`);
    return reader.getRowsJS().map((row) => row.map(textOf));
  }

  /** How many records must be in `<stage>.late`. */
  async late(stage: string): Promise<number> {
    const reader = await this.#connection.runAndReadAll(`SELECT count(*) FROM late.${quote(stage)}`);
    return Number(reader.getRowsJS()[0]?.[0] ?? 0);
  }

  /** How far event time is complete in a topic, for one that reads it, ms; -Infinity where nobody promised anything. */
  async watermarks(): Promise<Map<string, number>> {
    const reader = await this.#connection.runAndReadAll('SELECT topic, m FROM watermark ORDER BY topic');
    return new Map(
      reader.getRowsJS().map(([topic, m]) => [topic as string, Number(m) <= -FOREVER ? -Infinity : Number(m)] as const),
    );
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function appendPosition(
  to: DuckDBAppender,
  at: { readonly topic: string; readonly partition: number },
  offset: bigint,
): void {
  to.appendVarchar(at.topic);
  to.appendInteger(at.partition);
  to.appendBigInt(offset);
}

function appendText(to: DuckDBAppender, text: string | null): void {
  if (text === null) to.appendNull();
  else to.appendVarchar(text);
}

/** JSON with 64-bit integers as text, so that none loses a digit. */
function jsonOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? each.toString() : each));
}
