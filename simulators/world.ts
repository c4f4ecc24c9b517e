/** The shop as the simulator knows it: what can be viewed, bought and changed. Bounded: old purchases are forgotten. */
import * as words from './catalog.ts';
import type { Random } from './random.ts';

export interface User {
  readonly id: number;
  email: string | null;
  fullName: string | null;
  country: string | null;
  /** YYYY-MM-DD. */
  birthDate: string | null;
  readonly createdAt: number;
  profile: Profile | undefined;
}

export interface Profile {
  readonly ageBand: string | null;
  readonly marketingConsent: boolean;
  /** JSON. */
  readonly preferences: string | null;
  readonly createdAt: number;
}

export interface Item {
  readonly id: number;
  title: string;
  category: string | null;
  /** Whole cents. */
  price: number;
  active: boolean;
  readonly createdAt: number;
}

export interface Purchase {
  readonly id: number;
  readonly userId: number;
  readonly itemId: number;
  quantity: number;
  /** Whole cents. */
  readonly unitPrice: number;
  readonly createdAt: number;
}

/** Ids that are still free; ids never come back, not even after a delete. */
export interface NextIds {
  user: number;
  item: number;
  purchase: number;
}

export interface World {
  readonly users: User[];
  readonly items: Item[];
  /** The newest ones: only they are changed and deleted. */
  readonly purchases: Purchase[];
  readonly next: NextIds;
  /** One item is what most want now. */
  isFlashSale?: boolean;
}

export const SEED_USERS = 200;
export const SEED_ITEMS = 60;
export const SEED_PURCHASES = 120;
/** Purchases that are remembered. */
export const MAX_PURCHASES = 500;

/** Of what is viewed and bought in a flash sale. */
const ON_SALE = 0.8;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The shop before the simulation begins at `start`, all of it older than that. */
export function seedWorld(random: Random, start: number, next: NextIds = { user: 1, item: 1, purchase: 1 }): World {
  const world: World = { users: [], items: [], purchases: [], next };
  const long = (): number => start - random.int(2 * DAY, 300 * DAY);
  for (let i = 0; i < SEED_ITEMS; i++) world.items.push(newItem(random, next.item++, long()));
  for (let i = 0; i < SEED_USERS; i++) {
    const user = newUser(random, next.user++, long());
    if (random.chance(0.8)) user.profile = newProfile(random, user.createdAt);
    world.users.push(user);
  }
  for (let i = 0; i < SEED_PURCHASES; i++) {
    const at = start - random.int(1, 36 * HOUR);
    const purchase = newPurchase(random, world, at);
    if (purchase !== undefined) world.purchases.push(purchase);
  }
  return world;
}

export function newUser(random: Random, id: number, createdAt: number): User {
  const first = random.pick(words.FIRST_NAMES);
  const last = random.pick(words.LAST_NAMES);
  const email = ` ${first}.${id}@${random.pick(words.MAIL_HOSTS)}`;
  const name = random.chance(0.2) ? ` ${first} ${last} ` : `${first} ${last}`;
  // Born 1940 to 2011; the draw is made in any case, so that the sequence is the same.
  const born = new Date(Date.UTC(random.int(1940, 2011), random.int(0, 11), random.int(1, 28)));
  return {
    id,
    email: random.chance(0.05) ? null : random.chance(0.3) ? email : email.trim(),
    fullName: random.chance(0.04) ? null : name,
    country: random.pick(words.COUNTRIES),
    birthDate: random.chance(0.1) ? null : born.toISOString().slice(0, 10),
    createdAt,
    profile: undefined,
  };
}

const AGE_BANDS = ['18-24', '25-34', '35-44', '45-54', '55-64', '65+', null] as const;

export function newProfile(random: Random, createdAt: number): Profile {
  const preferences = {
    language: random.pick(words.LANGUAGES),
    newsletter: random.chance(0.5),
    pages: random.int(1, 9),
  };
  return {
    ageBand: random.pick(AGE_BANDS),
    marketingConsent: random.chance(0.6),
    preferences: random.chance(0.1) ? null : JSON.stringify(preferences),
    createdAt,
  };
}

export function newItem(random: Random, id: number, createdAt: number): Item {
  return {
    id,
    title: `${random.pick(words.ADJECTIVES)} ${random.pick(words.NOUNS)} No. ${id}`,
    category: random.pick(words.CATEGORIES),
    price: random.int(99, 49_999),
    active: random.chance(0.9),
    createdAt,
  };
}

/** Undefined while nobody is there to buy or nothing to be bought. */
export function newPurchase(random: Random, world: World, createdAt: number): Purchase | undefined {
  const user = someUser(random, world);
  const item = popularItem(random, world);
  const quantity = random.chance(0.7) ? 1 : random.int(2, 5);
  if (user === undefined || item === undefined) return undefined;
  const id = world.next.purchase++;
  return { id, userId: user.id, itemId: item.id, quantity, unitPrice: item.price, createdAt };
}

export function someUser(random: Random, world: World): User | undefined {
  return world.users[Math.floor(random.next() * world.users.length)];
}

/** Few items are wanted by many. */
export function popularItem(random: Random, world: World): Item | undefined {
  const draw = random.next();
  if (world.isFlashSale === true && draw < ON_SALE) return world.items[0];
  return world.items[Math.floor(draw ** 2 * world.items.length)];
}
