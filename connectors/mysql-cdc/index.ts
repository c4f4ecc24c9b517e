/** Change data capture of MySQL and MariaDB: a consistent snapshot, then the binlog, as Debezium's envelope, exactly once. */
export { createMysqlCdc } from './source.ts';
export type { MysqlCdc, MysqlCdcOptions, MysqlCdcStats } from './types.ts';
