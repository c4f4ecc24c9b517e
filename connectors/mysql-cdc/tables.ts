/** What information_schema says of the captured tables. */
import type { Column, TableInfo } from './types.ts';
import { ConfigError } from '#topology';
import type { Connection } from './connection.ts';

function problem(database: string, table: string, what: string, hint: string): ConfigError {
  return new ConfigError('SLC_CDC_TABLE', `table ${database}.${table} ${what}`, {
    where: `${database}.${table}`,
    hint,
  });
}

/** Reads one table. Throws ConfigError SLC_CDC_TABLE when it is missing, has no primary key or is not InnoDB. */
export async function readTable(connection: Connection, database: string, table: string): Promise<TableInfo> {
  const [found] = await connection.query(
    'SELECT ENGINE AS engine FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    [database, table],
  );
  if (found === undefined) {
    throw problem(
      database,
      table,
      'does not exist (or may not be seen)',
      'create it, or take it out of the tables to capture',
    );
  }
  if (String(found['engine']).toLowerCase() !== 'innodb') {
    throw problem(database, table, `is ${String(found['engine'])}`, `ALTER TABLE ${database}.${table} ENGINE = InnoDB`);
  }
  const columns = await connection.query(
    `SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [database, table],
  );
  const keys = await connection.query(
    `SELECT COLUMN_NAME AS name FROM information_schema.KEY_COLUMN_USAGE
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND CONSTRAINT_NAME = 'PRIMARY' ORDER BY ORDINAL_POSITION`,
    [database, table],
  );
  if (keys.length === 0) {
    throw problem(database, table, 'has no primary key', `ALTER TABLE ${database}.${table} ADD PRIMARY KEY (...)`);
  }
  return {
    table,
    columns: columns.map((row): Column => ({
      name: String(row['name']),
      type: String(row['type']),
      nullable: row['nullable'] === 'YES',
    })),
    primaryKey: keys.map((row) => String(row['name'])),
  };
}
