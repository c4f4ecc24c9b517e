/** Rows of the shop's tables as SQL. Sent again after a lost connection, a statement changes nothing: ids are ours, values are absolute. */
import type { Item, Profile, Purchase, User } from './world.ts';

export type Table = 'users' | 'items' | 'purchases' | 'customer_profiles';
export type SqlValue = string | number | null;
export type Columns = Readonly<Record<string, SqlValue>>;

export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** The column that names a row. */
export const KEY_OF: Readonly<Record<Table, 'id' | 'user_id'>> = {
  users: 'id',
  items: 'id',
  purchases: 'id',
  customer_profiles: 'user_id',
};

export function userRow(user: User): Columns {
  const { id, email, fullName, country, birthDate, createdAt } = user;
  return { id, email, full_name: fullName, country, birth_date: birthDate, created_at: dateTime(createdAt) };
}

export function itemRow(item: Item): Columns {
  const { id, title, category, price, active, createdAt } = item;
  return { id, title, category, price: money(price), active: active ? 1 : 0, created_at: dateTime(createdAt) };
}

export function purchaseRow(purchase: Purchase): Columns {
  const { id, userId, itemId, quantity, unitPrice, createdAt } = purchase;
  const price = money(unitPrice);
  return { id, user_id: userId, item_id: itemId, quantity, unit_price: price, created_at: dateTime(createdAt) };
}

export function profileRow(userId: number, profile: Profile): Columns {
  const { ageBand, marketingConsent, preferences, createdAt } = profile;
  return {
    user_id: userId,
    age_band: ageBand,
    marketing_consent: marketingConsent ? 1 : 0,
    preferences,
    created_at: dateTime(createdAt),
  };
}

/** Rows of the same columns in one statement. A row that is there already is left as it is. */
export function insertOf(table: Table, rows: readonly [Columns, ...Columns[]]): Statement {
  const columns = Object.keys(rows[0]);
  const place = `(${columns.map(() => '?').join(', ')})`;
  const key = quoted(KEY_OF[table]);
  return {
    sql: `INSERT INTO ${quoted(table)} (${columns.map(quoted).join(', ')}) VALUES ${rows.map(() => place).join(', ')} ON DUPLICATE KEY UPDATE ${key} = ${key}`,
    values: rows.flatMap((row) => columns.map((column) => row[column] ?? null)),
  };
}

export function updateOf(table: Table, key: number, columns: Columns): Statement {
  const sets = Object.keys(columns).map((column) => `${quoted(column)} = ?`);
  return {
    sql: `UPDATE ${quoted(table)} SET ${sets.join(', ')} WHERE ${quoted(KEY_OF[table])} = ?`,
    values: [...Object.values(columns), key],
  };
}

export function deleteOf(table: Table, key: number): Statement {
  return { sql: `DELETE FROM ${quoted(table)} WHERE ${quoted(KEY_OF[table])} = ?`, values: [key] };
}

/** DATETIME(3) in UTC. */
export function dateTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, 23);
}

/** Cents as DECIMAL(10,2). */
function money(cents: number): string {
  const text = String(cents).padStart(3, '0');
  return `${text.slice(0, -2)}.${text.slice(-2)}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
