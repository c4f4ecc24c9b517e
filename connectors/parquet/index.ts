/** The lake: a sink of Parquet files with a log, and how to read it. */
export { lakeFiles, type LakePartitionView, readLake } from './lake.ts';
export type { MergeLimits } from './merge.ts';
export { createParquetSink, type LakeSource, type ParquetSinkOptions, type ParquetWriterName } from './sink.ts';
