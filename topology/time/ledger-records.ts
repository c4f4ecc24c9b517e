/**
 * Records of the ledger topic `<app>.watermarks` (TIME.md rules 3, 8, 9, 12): key UTF-8 text, value JSON.
 *   pin|<topic>|<partition>|<at>   {"m"}                 from offset `at` on the clock of the origin partition is at least m
 *   wm|<writer>|<topic>            {"m","ends"}          all that the writer writes at offsets >= ends[q] has ow >= m
 *   roster|<app>                   {"topics","epoch",    append-only list of topic names: a topic's number is its place in it;
 *                                   "stores", "writers", what makes the content of each store, in words; per topic the tasks that write
 *                                   "floors",            it; what they raise the ow of their records to (rule 9); of a project, per stage the
 *                                   "owners"}            application that has run it
 * m is in ms; "-inf" and "+inf" stand for the infinities.
 */

/** "From offset `at` on, the clock of this partition is at least `m`" (ms). */
export interface Pin {
  readonly topic: string;
  readonly partition: number;
  readonly at: bigint;
  readonly m: number;
}

/** A writer's promise: every record of it at offset >= ends[q] of partition q has ow >= m (ms). */
export interface WriterPromise {
  readonly writer: string;
  readonly topic: string;
  readonly m: number;
  readonly ends: readonly bigint[];
}

/** The application's roster entry. */
export interface Roster {
  readonly app: string;
  readonly topics: readonly string[];
  readonly epoch: string;
  /** Per store what makes its content; of stores no longer used, too. */
  readonly stores: Readonly<Record<string, string>>;
  /** Per topic the tasks that write it. */
  readonly writers: Readonly<Record<string, readonly string[]>>;
  /** Per `writer|topic`, ms. */
  readonly floors: Readonly<Record<string, number>>;
  /** Per stage the application that has run it; only in the roster of a project, undefined in one that was written before there was this. */
  readonly owners?: Readonly<Record<string, string>> | undefined;
}

/** One record of the ledger, parsed; `null` value of a pin = withdrawn (its offset lies before the log's start). */
export type LedgerRecord =
  | ({ readonly kind: 'pin' } & Pin)
  | ({ readonly kind: 'promise' } & WriterPromise)
  | ({ readonly kind: 'roster' } & Roster);

/** A record ready to be written. */
export interface LedgerBytes {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const encoder = new TextEncoder();

function bytes(key: string, value: unknown): LedgerBytes {
  return { key: encoder.encode(key), value: encoder.encode(JSON.stringify(value)) };
}

const writeMs = (m: number): number | string => (Number.isFinite(m) ? m : m > 0 ? '+inf' : '-inf');
const readMs = (m: unknown): number => (m === '+inf' ? Infinity : m === '-inf' ? -Infinity : Number(m));

/** A pin as ledger record. */
export function encodePin(pin: Pin): LedgerBytes {
  return bytes(`pin|${pin.topic}|${pin.partition}|${pin.at}`, { m: writeMs(pin.m) });
}

/** A promise as ledger record. */
export function encodePromise(promise: WriterPromise): LedgerBytes {
  return bytes(`wm|${promise.writer}|${promise.topic}`, { m: writeMs(promise.m), ends: promise.ends.map(Number) });
}

/** The roster as ledger record. */
export function encodeRoster(roster: Roster): LedgerBytes {
  const { topics, epoch, stores, writers, floors, owners } = roster;
  return bytes(`roster|${roster.app}`, { topics, epoch, stores, writers, floors, owners });
}

/** Parses a record; undefined for tombstones and for keys of a later version (they are none of this reader's business). */
export function parseLedgerRecord(key: Buffer | null, value: Buffer | null): LedgerRecord | undefined {
  if (key === null || value === null) return undefined;
  const [kind, a = '', b = '', c = ''] = key.toString('utf8').split('|');
  if (kind !== 'pin' && kind !== 'wm' && kind !== 'roster') return undefined;
  const body = JSON.parse(value.toString('utf8')) as {
    m?: unknown;
    ends?: number[];
    topics?: string[];
    epoch?: string;
    stores?: Record<string, string>;
    writers?: Record<string, string[]>;
    floors?: Record<string, number>;
    owners?: Record<string, string>;
  };
  if (kind === 'pin') return { kind: 'pin', topic: a, partition: Number(b), at: BigInt(c), m: readMs(body.m) };
  if (kind === 'wm') {
    return { kind: 'promise', writer: a, topic: b, m: readMs(body.m), ends: (body.ends ?? []).map(BigInt) };
  }
  const { topics = [], epoch = '', stores = {}, writers = {}, floors = {}, owners } = body;
  const roster = { kind: 'roster' as const, app: a, topics, epoch, stores, writers, floors };
  return owners === undefined ? roster : { ...roster, owners };
}
