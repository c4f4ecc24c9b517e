/** The shop between two lives of the simulator is in MySQL: seeded when it is empty, else read. */
import type { RowDataPacket } from 'mysql2/promise';
import type { Random } from './random.ts';
import { type Columns, dateTime, insertOf, itemRow, profileRow, purchaseRow, type Statement, type Table, userRow } from './rows.ts'; // prettier-ignore
import { clockStatement, type ShopDatabase } from './shop-database.ts';
import { MAX_PURCHASES, type NextIds, seedWorld, type World } from './world.ts';

const MAX_USERS = 5_000;
const MAX_ITEMS = 1_000;

/** The shop as it is. One that is empty is filled first, together with the clock, so that no capture sees the one without the other. */
export async function openWorld(
  shop: ShopDatabase,
  random: Random,
  start: number,
  clock: number | null,
  next: NextIds,
): Promise<World> {
  const [counts] = await shop.rows(
    'SELECT (SELECT COUNT(*) FROM users) AS users, (SELECT COUNT(*) FROM items) AS items, (SELECT MAX(id) FROM users) AS user, (SELECT MAX(id) FROM items) AS item, (SELECT MAX(id) FROM purchases) AS purchase',
  );
  const free: NextIds = {
    user: Math.max(next.user, 1 + Number(counts?.['user'] ?? 0)),
    item: Math.max(next.item, 1 + Number(counts?.['item'] ?? 0)),
    purchase: Math.max(next.purchase, 1 + Number(counts?.['purchase'] ?? 0)),
  };
  if (Number(counts?.['users'] ?? 0) + Number(counts?.['items'] ?? 0) > 0) {
    const world = await readWorld(shop, free);
    await shop.commit([clockStatement(clock)]);
    return world;
  }
  const world = seedWorld(random, start, free);
  await shop.commit([...seedStatements(world), clockStatement(clock)]);
  return world;
}

/** The whole shop in a few statements. Each row was last changed when it was made. */
export function seedStatements(world: World): Statement[] {
  return [
    insertAll('items', world.items.map(itemRow)),
    insertAll('users', world.users.map(userRow)),
    insertAll(
      'customer_profiles',
      world.users.flatMap(({ id, profile }) => (profile === undefined ? [] : [profileRow(id, profile)])),
    ),
    insertAll('purchases', world.purchases.map(purchaseRow)),
  ].flat();
}

function insertAll(table: Table, rows: readonly Columns[]): Statement[] {
  const [first, ...rest] = rows.map((row) => ({ ...row, updated_at: row['created_at'] ?? dateTime(0) }));
  return first === undefined ? [] : [insertOf(table, [first, ...rest])];
}

async function readWorld(shop: ShopDatabase, next: NextIds): Promise<World> {
  const users = await shop.rows(
    `SELECT u.id, u.email, u.full_name, u.country, u.birth_date, u.created_at, p.user_id, p.age_band, p.marketing_consent, CAST(p.preferences AS CHAR) AS preferences, p.created_at AS profile_at FROM users u LEFT JOIN customer_profiles p ON p.user_id = u.id ORDER BY u.id DESC LIMIT ${MAX_USERS}`,
  );
  const items = await shop.rows(
    `SELECT id, title, category, price, active, created_at FROM items ORDER BY id LIMIT ${MAX_ITEMS}`,
  );
  const purchases = await shop.rows(
    `SELECT id, user_id, item_id, quantity, unit_price, created_at FROM purchases ORDER BY id DESC LIMIT ${MAX_PURCHASES}`,
  );
  return {
    users: users.reverse().map((row) => ({
      id: Number(row['id']),
      email: text(row, 'email'),
      fullName: text(row, 'full_name'),
      country: text(row, 'country'),
      birthDate: text(row, 'birth_date'),
      createdAt: instant(row, 'created_at'),
      profile: profileOf(row),
    })),
    items: items.map((row) => ({
      id: Number(row['id']),
      title: text(row, 'title') ?? '',
      category: text(row, 'category'),
      price: Math.round(Number(row['price']) * 100),
      active: Number(row['active']) !== 0,
      createdAt: instant(row, 'created_at'),
    })),
    purchases: purchases.reverse().map((row) => ({
      id: Number(row['id']),
      userId: Number(row['user_id']),
      itemId: Number(row['item_id']),
      quantity: Number(row['quantity']),
      unitPrice: Math.round(Number(row['unit_price']) * 100),
      createdAt: instant(row, 'created_at'),
    })),
    next,
  };
}

function profileOf(row: RowDataPacket): World['users'][number]['profile'] {
  if (row['user_id'] === null) return undefined;
  return {
    ageBand: text(row, 'age_band'),
    marketingConsent: Number(row['marketing_consent']) !== 0,
    preferences: text(row, 'preferences'),
    createdAt: instant(row, 'profile_at'),
  };
}

function text(row: RowDataPacket, column: string): string | null {
  const value: unknown = row[column];
  return typeof value === 'string' ? value : null;
}

/** DATETIME(3) as text, UTC. */
function instant(row: RowDataPacket, column: string): number {
  return Date.parse(`${text(row, column)?.replace(' ', 'T') ?? ''}Z`);
}
