/**
 * The captured tables: how each is described now, and a codec for every shape in which its rows arrive. Rows carry the shape that the table had when
 * they were written, which after a DDL is not the one of now: names and types follow the row, nullability and logical types what the server says now.
 */
import { earlierColumns, writtenColumns } from './envelope.ts';
import { columnType } from './row-types.ts';
import { TableCodec } from './codec.ts';
import type { SchemaSubjects } from './registry.ts';
import type { Column, TableInfo } from './types.ts';

/** Names and types of the columns of a row, as the binlog says. */
export type Shape = readonly Pick<Column, 'name' | 'type'>[];

/** Shapes kept per table; one more than ever live at once would only mean to register again. */
const MAX_SHAPES = 50;

interface Entry {
  info: TableInfo | undefined;
  readonly codecs: Map<string, TableCodec>;
  /** Columns found null although the server says NOT NULL (zero dates, rows older than a change). */
  readonly widened: Set<string>;
}

/** Options of `TableCatalog`. */
export interface CatalogOptions {
  readonly tables: readonly string[];
  readonly subjects: SchemaSubjects;
  topicOf(table: string): string;
  /** Asks the server. */
  describe(table: string): Promise<TableInfo>;
}

export class TableCatalog {
  readonly #options: CatalogOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CatalogOptions) {
    this.#options = options;
    for (const table of options.tables) {
      this.#entries.set(table, { info: undefined, codecs: new Map(), widened: new Set() });
    }
  }

  /** What the server says of the table; asked again after `invalidate`. */
  async info(table: string): Promise<TableInfo> {
    const entry = this.#entry(table);
    return (entry.info ??= await this.#options.describe(table));
  }

  /** The table may have changed. */
  invalidate(table: string): void {
    const entry = this.#entry(table);
    entry.info = undefined;
    entry.codecs.clear();
  }

  /** A codec that was made before, without waiting; `signature` names the shape. */
  known(table: string, signature: string): TableCodec | undefined {
    return this.#entries.get(table)?.codecs.get(signature);
  }

  /** The codec for rows of this shape: registers its schemas when they are new. */
  async codec(table: string, shape: Shape, signature: string): Promise<TableCodec> {
    const entry = this.#entry(table);
    const found = entry.codecs.get(signature);
    if (found !== undefined) return found;
    const info = await this.info(table);
    const { subjects } = this.#options;
    const topic = this.#options.topicOf(table);
    const earlier = earlierColumns(await subjects.latest(`${topic}-value`));
    const columns = shape.map((column) => merged(column, info, entry.widened));
    const codec = new TableCodec({
      topic,
      primaryKey: info.primaryKey,
      columns: writtenColumns(columns, earlier, table),
    });
    const keyId = await subjects.register(`${topic}-key`, codec.keySchema);
    codec.registered(keyId, await subjects.register(`${topic}-value`, codec.valueSchema));
    if (entry.codecs.size >= MAX_SHAPES) entry.codecs.clear();
    entry.codecs.set(signature, codec);
    return codec;
  }

  /** Lets a column be null from now on. */
  widen(table: string, column: string): void {
    const entry = this.#entry(table);
    entry.widened.add(column);
    entry.codecs.clear();
  }

  #entry(table: string): Entry {
    const entry = this.#entries.get(table);
    if (entry === undefined) throw new RangeError(`table ${table} is not captured`);
    return entry;
  }
}

/** The row's column with what the server knows more of it: JSON is LONGTEXT in MariaDB's binlog, UUID is BINARY(16). */
function merged(column: Shape[number], info: TableInfo, widened: ReadonlySet<string>): Column {
  const now = info.columns.find((candidate) => candidate.name === column.name);
  if (now === undefined) return { ...column, nullable: true };
  const nullable = now.nullable || widened.has(column.name);
  const refined = sameAvro(column.type, now.type) || /^(?:uuid|inet4|inet6)\b/i.test(now.type);
  return refined ? { name: column.name, type: now.type, nullable } : { ...column, nullable: true };
}

/** Whether two column types are written alike; what JSON means to people (connect.name) is no difference. */
function sameAvro(left: string, right: string): boolean {
  return plainAvro(left) === plainAvro(right);
}

function plainAvro(type: string): string {
  const { avro } = columnType(type, type);
  return JSON.stringify({ ...(typeof avro === 'string' ? { type: avro } : avro), 'connect.name': undefined });
}

/** Names a shape. */
export function signatureOf(shape: Shape): string {
  return shape.map(({ name, type }) => `${name} ${type}`).join('\n');
}
