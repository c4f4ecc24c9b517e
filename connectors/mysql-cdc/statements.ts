/** What the text of a query event in the binlog means for the captured tables. Only the kind of statement is read, never its values. */

/** 'begin', 'commit', 'rollback': transaction marks; 'xa': an XA mark; 'dml': changes of rows as a statement (never captured); 'ddl': a change of tables; 'other': nothing to us. */
export type StatementKind = 'begin' | 'commit' | 'rollback' | 'xa' | 'dml' | 'ddl' | 'other';

export interface Statement {
  readonly kind: StatementKind;
  /** Captured tables whose definition may have changed. */
  readonly altered: readonly string[];
  /** Captured tables that lost rows without an event per row (TRUNCATE, DROP TABLE, DROP PARTITION). */
  readonly emptied: readonly string[];
  /** MySQL's CREATE TABLE ... SELECT: rows and a commit follow in the same transaction. */
  readonly opensTransaction: boolean;
}

function plain(kind: StatementKind): Statement {
  return { kind, altered: [], emptied: [], opensTransaction: false };
}

/** Comments go; those that MySQL executes (`/*! ... *\/`) stay. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*(?!M?!)[\s\S]*?\*\//g, ' ')
    .replaceAll(/^\s*(?:--|#)[^\n]*\n/gm, ' ')
    .replaceAll(/\/\*M?!\d*/g, ' ')
    .trim();
}

function mentions(text: string, name: string): boolean {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`(?<![\\w$])${escaped}(?![\\w$])`, 'i').test(text);
}

const EMPTIES =
  /^(?:TRUNCATE\b|DROP\s+(?:TABLE|DATABASE|SCHEMA)\b|CREATE\s+OR\s+REPLACE\s+TABLE\b|ALTER\s+TABLE\b[\s\S]*\b(?:TRUNCATE|DROP|EXCHANGE|DISCARD)\s+(?:PARTITION|TABLESPACE)\b)/i;

/** Reads a query event. `schema` is its default database. */
export function readStatement(text: string, schema: string, database: string, tables: readonly string[]): Statement {
  const query = withoutComments(text);
  if (/^(?:BEGIN|START\s+TRANSACTION)\b/i.test(query)) return plain('begin');
  if (/^COMMIT\b/i.test(query)) return plain('commit');
  if (/^ROLLBACK\b/i.test(query)) return plain(/^ROLLBACK\s+(?:WORK\s+)?TO\b/i.test(query) ? 'other' : 'rollback');
  if (/^XA\s+(?:COMMIT|ROLLBACK)\b/i.test(query)) return plain('commit');
  if (/^XA\b/i.test(query)) return plain('xa');
  const ours = schema.toLowerCase() === database.toLowerCase() || mentions(query, database);
  if (/^(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|WITH|CALL)\b/i.test(query)) return plain(ours ? 'dml' : 'other');
  if (!/^(?:ALTER|CREATE|DROP|RENAME|TRUNCATE)\b/i.test(query)) return plain('other');
  const wholeDatabase = /^DROP\s+(?:DATABASE|SCHEMA)\b/i.test(query);
  const named = ours ? tables.filter((table) => wholeDatabase || mentions(query, table)) : [];
  return {
    kind: 'ddl',
    altered: named,
    emptied: EMPTIES.test(query) && !/^(?:CREATE|DROP)\s+(?:OR\s+REPLACE\s+)?TEMPORARY\b/i.test(query) ? named : [],
    opensTransaction: /\bSTART\s+TRANSACTION\s*$/i.test(query),
  };
}
