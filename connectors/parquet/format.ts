/** What a library must do to write the lake's files. Values are as encode.ts makes them. */
import type { Column } from './columns.ts';

/** Rows of a file by column: `data[c][r]`. */
export interface RowGroup {
  readonly rows: number;
  readonly data: readonly (readonly unknown[])[];
}

/** A file that is being written in memory, row group after row group. */
export interface FileBuilder {
  add(group: RowGroup): Promise<void>;
  /** The whole file. */
  finish(): Promise<Uint8Array>;
}

/** A Parquet writer. */
export interface ParquetFormat {
  readonly name: string;
  /** ConfigError SLC_CONFIG_PARQUET when files of these columns would not hold what is put in. */
  check(topic: string, columns: readonly Column[]): void;
  /** Why this writer cannot hold a value that the column can; undefined when it can. */
  unfit(column: Column, value: unknown): string | undefined;
  build(columns: readonly Column[], metadata: Readonly<Record<string, string>>): FileBuilder;
}
