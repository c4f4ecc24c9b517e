/** Kafka's record batches (v2), as bytes: encoded once, walked without objects. */
export { BATCH_HEADER_BYTES, BatchBuilder, type RecordHeader } from './record-batch/builder.ts';
export { type RecordBatch, RecordCursor } from './record-batch/cursor.ts';
export { type AbortedTransaction, type ParsedFetch, parseFetched } from './record-batch/parse.ts';
