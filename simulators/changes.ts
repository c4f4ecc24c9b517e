/** Changes of the shop's tables: purchases, prices, people. Some transactions have several rows. */
import { CATEGORIES, COUNTRIES, FIRST_NAMES, LAST_NAMES } from './catalog.ts';
import type { Random } from './random.ts';
import { type Columns, dateTime, deleteOf, insertOf, itemRow, profileRow, purchaseRow, type Statement, type Table, updateOf, userRow } from './rows.ts'; // prettier-ignore
import { MAX_PURCHASES, newItem, newProfile, newPurchase, newUser, popularItem, type Purchase, someUser, type User, type World } from './world.ts'; // prettier-ignore

export type ChangeKind = 'insert' | 'update' | 'delete';
export type ChangeFlag = 'valid' | 'out-of-order';

/** A change of one row. */
export interface SimChange {
  readonly kind: ChangeKind;
  readonly table: Table;
  readonly key: number;
  /** Event time, ms: updated_at of the row; of a delete the sender's time. */
  readonly at: number;
  readonly flag: ChangeFlag;
  readonly statement: Statement;
}

/** Changes that are committed together. */
export interface SimTransaction {
  /** The sender's time, ms. */
  readonly base: number;
  readonly changes: readonly SimChange[];
}

export const OUT_OF_ORDER_SHARE = 0.02;
/** updated_at is at most this much behind the sender's time: less than the topics' outOfOrderness. */
export const MAX_BACK_MS = 8_000;

const MANY_USERS = 400;
const FEW_USERS = 100;
const MANY_ITEMS = 120;
const FEW_ITEMS = 40;

/** What happens in the shop, with its weight. */
const KINDS = [
  ['purchase', 50],
  ['basket', 8],
  ['price', 11],
  ['sale', 2],
  ['user-comes', 8],
  ['user-moves', 7],
  ['user-goes', 2],
  ['profile', 7],
  ['purchase-changes', 3],
  ['purchase-returns', 2],
  ['item-comes', 0.5],
  ['item-goes', 0.5],
] as const;
const TOTAL_WEIGHT = KINDS.reduce((sum, [, weight]) => sum + weight, 0);
type Kind = (typeof KINDS)[number][0];

/** Hears of each new user and of each purchase. */
export interface Listener {
  registered(user: User): void;
  bought(purchase: Purchase): void;
}

export class ChangeSource {
  readonly #random: Random;
  readonly #world: World;
  readonly #heard: Listener;
  /** Rows beyond one of the transactions so far: as many turns are skipped. */
  #ahead = 0;
  #at = 0;
  #flag: ChangeFlag = 'valid';
  #base = 0;

  /** Each is empty when there is nobody or nothing that it could happen to. */
  readonly #makers: Readonly<Record<Kind, () => SimChange[]>> = {
    purchase: () => this.#buy(1),
    basket: () => this.#buy(this.#random.int(2, 4)),
    price: () => this.#prices(1),
    sale: () => this.#prices(this.#random.int(3, 6)),
    'user-comes': () => (this.#world.users.length < MANY_USERS ? this.#userComes() : this.#userGoes()),
    'user-moves': () => this.#userMoves(),
    'user-goes': () => this.#userGoes(),
    profile: () => this.#profile(),
    'purchase-changes': () => this.#purchaseChanges(),
    'purchase-returns': () => this.#purchaseReturns(),
    'item-comes': () => this.#itemComes(),
    'item-goes': () => this.#itemGoes(),
  };

  constructor(random: Random, world: World, heard: Listener) {
    this.#random = random;
    this.#world = world;
    this.#heard = heard;
  }

  /** One row a turn on average; undefined in a turn that a larger transaction has used up. The numbers drawn do not depend on `base`. */
  next(base: number): SimTransaction | undefined {
    if (this.#ahead > 0) {
      this.#ahead--;
      return undefined;
    }
    const kind = this.#kind();
    const isLate = this.#random.chance(OUT_OF_ORDER_SHARE);
    const back = this.#random.int(1, MAX_BACK_MS);
    this.#base = base;
    this.#flag = isLate ? 'out-of-order' : 'valid';
    this.#at = isLate ? base - back : base;
    let changes = this.#makers[kind]();
    if (changes.length === 0) changes = this.#makers.price();
    this.#ahead = changes.length - 1;
    return { base, changes };
  }

  #kind(): Kind {
    let draw = this.#random.next() * TOTAL_WEIGHT;
    for (const [kind, weight] of KINDS) {
      draw -= weight;
      if (draw < 0) return kind;
    }
    return 'purchase';
  }

  #buy(count: number): SimChange[] {
    const changes: SimChange[] = [];
    for (let i = 0; i < count; i++) {
      const purchase = newPurchase(this.#random, this.#world, this.#at);
      if (purchase === undefined) return changes;
      this.#world.purchases.push(purchase);
      this.#heard.bought(purchase);
      changes.push(this.#insert('purchases', purchase.id, purchaseRow(purchase)));
    }
    const { purchases } = this.#world;
    if (purchases.length > MAX_PURCHASES) purchases.splice(0, purchases.length - MAX_PURCHASES);
    return changes;
  }

  #prices(count: number): SimChange[] {
    const changes = new Map<number, SimChange>();
    for (let i = 0; i < count; i++) {
      const item = popularItem(this.#random, this.#world);
      const factor = 0.8 + this.#random.next() * 0.45;
      const turns = this.#random.chance(0.05);
      if (item === undefined || changes.has(item.id)) continue;
      item.price = Math.min(999_999, Math.max(99, Math.round(item.price * factor)));
      if (turns) item.active = !item.active;
      const { price, active } = itemRow(item);
      changes.set(item.id, this.#update('items', item.id, { price: price ?? null, active: active ?? null }));
    }
    return [...changes.values()];
  }

  #userComes(): SimChange[] {
    const user = newUser(this.#random, this.#world.next.user++, this.#at);
    user.profile = newProfile(this.#random, this.#at);
    this.#world.users.push(user);
    this.#heard.registered(user);
    return [
      this.#insert('users', user.id, userRow(user)),
      this.#insert('customer_profiles', user.id, profileRow(user.id, user.profile)),
    ];
  }

  #userMoves(): SimChange[] {
    const user = someUser(this.#random, this.#world);
    const country = this.#random.pick(COUNTRIES);
    const name = `${this.#random.pick(FIRST_NAMES)} ${this.#random.pick(LAST_NAMES)}`;
    const marries = this.#random.chance(0.3);
    if (user === undefined) return [];
    user.country = country;
    if (marries) user.fullName = name;
    return [this.#update('users', user.id, { country, full_name: user.fullName })];
  }

  #userGoes(): SimChange[] {
    const user = someUser(this.#random, this.#world);
    if (user === undefined || this.#world.users.length <= FEW_USERS) return [];
    this.#world.users.splice(this.#world.users.indexOf(user), 1);
    const profile = user.profile === undefined ? [] : [this.#delete('customer_profiles', user.id)];
    return [...profile, this.#delete('users', user.id)];
  }

  #profile(): SimChange[] {
    const user = someUser(this.#random, this.#world);
    const fresh = newProfile(this.#random, this.#at);
    if (user === undefined) return [];
    const before = user.profile;
    user.profile = { ...fresh, createdAt: before?.createdAt ?? fresh.createdAt };
    const row = profileRow(user.id, user.profile);
    if (before === undefined) return [this.#insert('customer_profiles', user.id, row)];
    const { user_id: _key, created_at: _created, ...columns } = row;
    return [this.#update('customer_profiles', user.id, columns)];
  }

  #purchaseChanges(): SimChange[] {
    const { purchases } = this.#world;
    const purchase = purchases[Math.floor(this.#random.next() * purchases.length)];
    const quantity = this.#random.int(1, 6);
    if (purchase === undefined) return [];
    purchase.quantity = quantity;
    return [this.#update('purchases', purchase.id, { quantity })];
  }

  #purchaseReturns(): SimChange[] {
    const { purchases } = this.#world;
    const [purchase] = purchases.splice(Math.floor(this.#random.next() * purchases.length), 1);
    return purchase === undefined ? [] : [this.#delete('purchases', purchase.id)];
  }

  #itemComes(): SimChange[] {
    const { items, next } = this.#world;
    if (items.length >= MANY_ITEMS) return this.#itemGoes();
    const item = newItem(this.#random, next.item++, this.#at);
    items.push(item);
    return [this.#insert('items', item.id, itemRow(item))];
  }

  #itemGoes(): SimChange[] {
    const { items } = this.#world;
    const item = items[Math.floor(this.#random.next() * items.length)];
    const category = this.#random.pick(CATEGORIES);
    if (item === undefined) return [];
    if (items.length > FEW_ITEMS) {
      items.splice(items.indexOf(item), 1);
      return [this.#delete('items', item.id)];
    }
    item.category = category;
    return [this.#update('items', item.id, { category })];
  }

  #insert(table: Table, key: number, row: Columns): SimChange {
    const statement = insertOf(table, [{ ...row, updated_at: dateTime(this.#at) }]);
    return { kind: 'insert', table, key, at: this.#at, flag: this.#flag, statement };
  }

  #update(table: Table, key: number, columns: Columns): SimChange {
    const statement = updateOf(table, key, { ...columns, updated_at: dateTime(this.#at) });
    return { kind: 'update', table, key, at: this.#at, flag: this.#flag, statement };
  }

  /** A deleted row has no updated_at: its time is the sender's. */
  #delete(table: Table, key: number): SimChange {
    return { kind: 'delete', table, key, at: this.#base, flag: 'valid', statement: deleteOf(table, key) };
  }
}
