/** App events: visitors view pages, fill carts, register, log in and are recorded; hosts say how busy they are. A stated share is out of order, late, invalid or sent twice. */
import type {
  BronzeAppCartEvents,
  BronzeAppLogins,
  BronzeAppPageviews,
  BronzeAppPurchaseEvents,
  BronzeAppRegistrations,
  BronzeAppSessionRecordings,
  BronzeOpsSystemLoad,
} from '#schemas';
import { COUNTRIES, ENTRIES, type Entry, MAIL_HOSTS, OTHER_PAGES } from './catalog.ts';
import { HostSource } from './hosts.ts';
import { type LoginAttempt, type LoginLabel, LoginSource } from './logins.ts';
import type { Random } from './random.ts';
import { newPurchase, popularItem, type Purchase, someUser, type User, type World } from './world.ts';

export type InvalidReason = 'wrong-type' | 'missing-field' | 'unknown-event' | 'too-far-ahead';
export type EventFlag = 'valid' | 'late' | `invalid:${InvalidReason}` | 'duplicate' | 'out-of-order';

/** An event as it goes to the collector. */
export interface SimEvent {
  readonly id: string;
  /** What it says it is. */
  readonly kind: string;
  /** Where it belongs; null where no topic knows it. */
  readonly topic: string | null;
  /** Event time, ms. */
  readonly at: number;
  /** What the sender's time was when it was made, ms: nothing that is sent later is made earlier. */
  readonly base: number;
  readonly flag: EventFlag;
  /** What somebody who watches has to find in it. */
  readonly labels?: readonly LoginLabel[];
  /** JSON. */
  readonly body: string;
}

/** Each event and its topic. */
export const TOPICS = {
  pageview: 'bronze.app.pageviews',
  cart: 'bronze.app.cart_events',
  registration: 'bronze.app.registrations',
  login: 'bronze.app.logins',
  purchase: 'bronze.app.purchase_events',
  recording: 'bronze.app.session_recordings',
  system_load: 'bronze.ops.system_load',
} as const;

type Sent<V> = Omit<V, 'receivedAt'>;
type Properties =
  | Sent<BronzeAppPageviews>
  | Sent<BronzeAppCartEvents>
  | Sent<BronzeAppRegistrations>
  | Sent<BronzeAppLogins>
  | Sent<BronzeAppPurchaseEvents>
  | Sent<BronzeAppSessionRecordings>
  | Sent<BronzeOpsSystemLoad>;

interface Visitor {
  readonly user: User | undefined;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  readonly entry: Entry;
  pages: number;
  entered: boolean;
  /** Pieces of its recording that have been sent. */
  parts: number;
}

/** Shares of all events. */
export const SHARES = { outOfOrder: 0.02, late: 0.005, invalid: 0.01, duplicate: 0.005 } as const;
/** An out-of-order event is at most this much older than the sender's time: less than the topic's outOfOrderness. */
export const MAX_BACK_MS = 50_000;
/** A late one is this much older: the topic's outOfOrderness and 2 to 30 minutes. */
export const LATE_BACK_MS = [60_000 + 2 * 60_000, 60_000 + 30 * 60_000] as const;
/** Beyond the wall clock by more than the topic's maxAhead. */
const AHEAD_MS = [2 * 3_600_000, 48 * 3_600_000] as const;
/** A duplicate is sent at most this many events after its original, which keeps it within outOfOrderness. */
const MAX_DUPLICATE_DISTANCE = 20;
const VISITORS = 50;
const MAX_NEW_USERS = 100;
const MAX_BOUGHT = 10;
/** The app says it at once, or never: in quiet hours there are too few events for all. */
const MAX_SILENCE_MS = 20 * 60_000;
/** Of what the app says was bought: no database has heard of it. */
const ONLY_APP = 0.2;
/** Shares of the kinds; the rest are pageviews. */
const KINDS = {
  registration: 0.05,
  cart: 0.1,
  login: 0.023,
  system_load: 0.03,
  purchase: 0.02,
  recording: 0.02,
} as const;
/** Of the turns while somebody is in the middle of several attempts to log in: these are beyond the share. */
const NEXT_ATTEMPT = 0.5;
const ADDED = 0.75;
const MAX_QUANTITY = 3;
/** Of a piece of a recording. */
const MAX_RECORDED = { ms: 60_000, clicks: 40, keyPresses: 120, bytes: 400_000 } as const;
const INVALID: readonly [InvalidReason, ...InvalidReason[]] = ['wrong-type', 'missing-field', 'unknown-event', 'too-far-ahead']; // prettier-ignore

export class EventSource {
  readonly #random: Random;
  readonly #world: World;
  readonly #logins: LoginSource;
  readonly #loginFactor: number;
  readonly #hosts: HostSource;
  readonly #visitors: Visitor[] = [];
  /** Users of whom no registration has been sent yet. */
  readonly #newUsers: User[] = [];
  /** What was bought and the app has not said yet. */
  readonly #bought: Purchase[] = [];
  /** Events to be sent again, with the number of events until then. */
  #again: { readonly event: SimEvent; wait: number }[] = [];

  /** `logins`: times their share; pageviews give way. */
  constructor(random: Random, world: World, logins = 1) {
    this.#random = random;
    this.#world = world;
    this.#logins = new LoginSource(random, world);
    this.#loginFactor = logins;
    this.#hosts = new HostSource(random);
  }

  /** A user has been made: the app will say so. */
  registered(user: User): void {
    if (this.#newUsers.length < MAX_NEW_USERS) this.#newUsers.push(user);
  }

  /** Something has been bought: of every fourth purchase the app says so too. */
  bought(purchase: Purchase): void {
    if (purchase.id % 4 === 0 && this.#bought.length < MAX_BOUGHT) this.#bought.push({ ...purchase });
  }

  /** The next event at the sender's time `base`; `wall` = now. The numbers drawn do not depend on the times. */
  next(base: number, wall: number): SimEvent {
    for (const one of this.#again) one.wait--;
    const due = this.#again.findIndex((one) => one.wait <= 0);
    if (due >= 0) {
      const [repeat] = this.#again.splice(due, 1);
      if (repeat !== undefined) return { ...repeat.event, base, flag: 'duplicate' };
    }
    const event = this.#fresh(base, wall);
    // A late or invalid event stays what it is when it is sent twice: only good ones are repeated, so a few more of them.
    const repeats = this.#random.chance(SHARES.duplicate / (1 - SHARES.late - SHARES.invalid - SHARES.outOfOrder));
    const wait = this.#random.int(1, MAX_DUPLICATE_DISTANCE);
    if (repeats && event.flag === 'valid') this.#again.push({ event, wait });
    return event;
  }

  #fresh(base: number, wall: number): SimEvent {
    const random = this.#random;
    const drawn = kindOf(random.next(), this.#loginFactor);
    const kind = this.#logins.isBusy && random.chance(NEXT_ATTEMPT) ? 'login' : drawn;
    const attempt = kind === 'login' ? this.#logins.next(base) : undefined;
    const id = random.uuid();
    const draw = random.next();
    const back = random.next();
    const reason = random.pick(INVALID);
    const flag = flagOf(draw, reason);
    const at = timeOf(flag, base, wall, back);
    const properties = this.#properties(kind, id, at, attempt);
    const sent = { event: kind, properties };
    const broken = flag.startsWith('invalid:') ? spoil(sent, reason) : sent;
    return {
      id,
      kind: broken.event,
      topic: broken.event === kind ? TOPICS[kind] : null,
      at,
      base,
      flag,
      ...(attempt !== undefined && attempt.labels.length > 0 && { labels: attempt.labels }),
      body: JSON.stringify(broken),
    };
  }

  #properties(
    kind: keyof typeof TOPICS,
    eventId: string,
    occurredAt: number,
    attempt: LoginAttempt | undefined,
  ): Properties {
    if (attempt !== undefined) return this.#login(eventId, occurredAt, attempt);
    switch (kind) {
      case 'cart':
        return this.#cart(eventId, occurredAt);
      case 'registration':
        return this.#registration(eventId, occurredAt);
      case 'purchase':
        return this.#purchase(eventId, occurredAt);
      case 'recording':
        return recordingOf(this.#random, this.#visitor(), { eventId, occurredAt });
      case 'system_load':
        return { eventId, occurredAt, ...this.#hosts.next() };
      default:
        return this.#pageview(eventId, occurredAt);
    }
  }

  #cart(eventId: string, occurredAt: number): Properties {
    const random = this.#random;
    const visitor = this.#visitor();
    const item = popularItem(random, this.#world);
    return {
      eventId,
      userId: visitor.user?.id ?? null,
      anonymousId: visitor.anonymousId,
      sessionId: visitor.sessionId,
      occurredAt,
      action: random.chance(ADDED) ? 'add' : 'remove',
      // The world is never without items (world.ts); the type does not know.
      itemId: item?.id ?? 1,
      quantity: random.int(1, MAX_QUANTITY),
      channel: visitor.entry.channel,
    };
  }

  #login(eventId: string, occurredAt: number, { labels: _labels, ...attempt }: LoginAttempt): Sent<BronzeAppLogins> {
    const { anonymousId, sessionId } = this.#visitor();
    return { eventId, anonymousId, sessionId, occurredAt, ...attempt };
  }

  #pageview(eventId: string, occurredAt: number): Properties {
    const random = this.#random;
    const visitor = this.#visitor();
    const item = popularItem(random, this.#world);
    const other = random.pick(OTHER_PAGES);
    const showsItem = random.chance(0.85) && item !== undefined;
    const query = visitor.entered ? '' : visitor.entry.query;
    visitor.entered = true;
    visitor.pages--;
    return {
      eventId,
      userId: visitor.user?.id ?? null,
      anonymousId: visitor.anonymousId,
      sessionId: visitor.sessionId,
      occurredAt,
      url: showsItem ? `/items/${item.id}${query}` : other,
      itemId: showsItem ? item.id : null,
      channel: visitor.entry.channel,
      referrer: visitor.entry.referrer,
    };
  }

  #purchase(eventId: string, occurredAt: number): Sent<BronzeAppPurchaseEvents> {
    const random = this.#random;
    const { anonymousId, sessionId } = this.#visitor();
    while (this.#bought.length > 0 && occurredAt - (this.#bought[0]?.createdAt ?? 0) > MAX_SILENCE_MS)
      this.#bought.shift();
    const isOnlyApp = random.chance(ONLY_APP) || this.#bought.length === 0;
    const purchase = isOnlyApp ? newPurchase(random, this.#world, occurredAt) : this.#bought.shift();
    // The world is never without users and items (world.ts); the type does not know.
    const { id = 0, userId = 1, itemId = 1, quantity = 1, unitPrice = 0 } = purchase ?? {};
    const what = { purchaseId: id, userId, itemId, quantity, unitPriceCents: unitPrice };
    return { eventId, anonymousId, sessionId, occurredAt, ...what };
  }

  #registration(eventId: string, occurredAt: number): Properties {
    const random = this.#random;
    const visitor = this.#visitor();
    const country = random.pick(COUNTRIES);
    const email = `new.${random.uint32().toString(36)}@${random.pick(MAIL_HOSTS)}`;
    const user = this.#newUsers.shift();
    return {
      eventId,
      userId: user?.id ?? null,
      anonymousId: visitor.anonymousId,
      sessionId: visitor.sessionId,
      occurredAt,
      email: user === undefined ? email : user.email,
      country: user === undefined ? country : user.country,
      channel: visitor.entry.channel,
    };
  }

  /** One of those who are in the shop; who has seen enough goes and another one comes. */
  #visitor(): Visitor {
    const random = this.#random;
    const place = random.int(0, VISITORS - 1);
    const found = this.#visitors[place];
    if (found !== undefined && found.pages > 0) return found;
    const user = someUser(random, this.#world);
    const isKnown = random.chance(0.55);
    const visitor: Visitor = {
      user: isKnown ? user : undefined,
      anonymousId: `anon-${random.uint32().toString(36)}`,
      sessionId: random.chance(0.1) ? null : random.uuid(),
      entry: random.pick(ENTRIES),
      pages: random.int(1, 12),
      entered: false,
      parts: 0,
    };
    this.#visitors[place] = visitor;
    return visitor;
  }
}

/** The next piece of a visit; one that has no session is recorded under the visitor's id. */
function recordingOf(
  random: Random,
  visitor: Visitor,
  about: { readonly eventId: string; readonly occurredAt: number },
): Sent<BronzeAppSessionRecordings> {
  const sessionId = visitor.sessionId ?? visitor.anonymousId;
  const part = visitor.parts++;
  return {
    ...about,
    userId: visitor.user?.id ?? null,
    anonymousId: visitor.anonymousId,
    sessionId,
    part,
    durationMs: random.int(1_000, MAX_RECORDED.ms),
    clicks: random.int(0, MAX_RECORDED.clicks),
    keyPresses: random.int(0, MAX_RECORDED.keyPresses),
    bytes: random.int(2_000, MAX_RECORDED.bytes),
    location: `recordings/${sessionId}/${part}.json.gz`,
  };
}

function kindOf(draw: number, logins: number): keyof typeof TOPICS {
  let bound = 0;
  for (const kind of ['registration', 'cart', 'login', 'system_load', 'purchase', 'recording'] as const)
    if (draw < (bound += KINDS[kind] * (kind === 'login' ? logins : 1))) return kind;
  return 'pageview';
}

function flagOf(draw: number, reason: InvalidReason): EventFlag {
  let bound: number = SHARES.outOfOrder;
  if (draw < bound) return 'out-of-order';
  if (draw < (bound += SHARES.late)) return 'late';
  if (draw < bound + SHARES.invalid) return `invalid:${reason}`;
  return 'valid';
}

function timeOf(flag: EventFlag, base: number, wall: number, draw: number): number {
  if (flag === 'out-of-order') return base - 1 - Math.floor(draw * MAX_BACK_MS);
  if (flag === 'late') return base - between(LATE_BACK_MS, draw);
  if (flag === 'invalid:too-far-ahead') return wall + between(AHEAD_MS, draw);
  return base;
}

function between([low, high]: readonly [number, number], draw: number): number {
  return Math.floor(low + draw * (high - low));
}

function spoil(
  sent: { event: string; properties: Properties },
  reason: InvalidReason,
): { event: string; properties: object } {
  const { event, properties } = sent;
  if (reason === 'unknown-event') return { event: 'cart_opened', properties };
  const somebody = 'host' in properties ? 'host' : 'anonymousId';
  if (reason === 'wrong-type') return { event, properties: { ...properties, [somebody]: 42 } };
  if (reason === 'missing-field') {
    const { occurredAt: _gone, ...rest } = properties;
    return { event, properties: rest };
  }
  return sent;
}
