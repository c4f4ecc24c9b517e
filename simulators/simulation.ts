/** One life of the simulator: prepares the shop, makes the sequence at its pace, sends it, and leaves what the next life must know. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './backoff.ts';
import { ChangeSender } from './change-sender.ts';
import { CollectorClient } from './collector-client.ts';
import { Generator } from './generator.ts';
import { historyPlan, historyTotals } from './history.ts';
import { Manifest } from './manifest.ts';
import { AFTER_END_MS, boundedPlan, CHANGES_PER_SECOND, endOf, EVENTS_PER_SECOND, flashSaleOf, livePlan, Pacer, type Plan, turnsFor } from './plan.ts'; // prettier-ignore
import { Random } from './random.ts';
import { clockStatement, ShopDatabase } from './shop-database.ts';
import { openWorld } from './shop-world.ts';
import { nextLife } from './next-life.ts';
import { type SimState, StateFile } from './state.ts';
import type { NextIds, World } from './world.ts';

export interface SimulationOptions {
  readonly seed: string;
  /** Bounded: as many seconds' worth of traffic. Undefined: live, until the signal is given. */
  readonly seconds: number | undefined;
  /** Times the default traffic. */
  readonly rate: number;
  /** Times the usual share of logins, attacks among them; at most MAX_LOGINS. */
  readonly logins: number;
  /** Live: before it, so many ms of back-dated traffic that end when the first life begins. Undefined: none. */
  readonly history: number | undefined;
  /** Of a bounded run in its middle: so many seconds of event time with 50 times the live traffic, most of it about one item. 0: none. */
  readonly flashSaleSeconds: number;
  /** First event time of a bounded run, ms; else as late as it can be. */
  readonly start: number | undefined;
  /** Folder of manifest and state. */
  readonly dir: string;
  readonly collectorUrl: string;
  readonly collectorKey: string;
  readonly mysqlUrl: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface SimulationStats {
  /** What has arrived in this run, in all its lives. */
  readonly events: number;
  readonly changes: number;
  /** Requests and transactions that were sent again in this life. */
  readonly resent: number;
}

export interface SimulationResult extends SimulationStats {
  /** All of a bounded run has arrived. */
  readonly done: boolean;
  readonly manifest: string;
}

const MAX_WAITING_EVENTS = 2_000;
const MAX_WAITING_TRANSACTIONS = 300;
const LIVE_MANIFEST_BYTES = 64 * 1024 * 1024;
/** Turns, and as many ids, that are taken ahead each time that the state is written. */
const TURNS_AHEAD = 550;
/** What has not arrived so long after the signal is given up. */
const STOP_MS = 3_000;

export class Simulation {
  readonly #options: SimulationOptions;
  readonly #file: StateFile;
  readonly #shop: ShopDatabase;
  readonly #manifest: Manifest;
  readonly #collector: CollectorClient;
  readonly #changes: ChangeSender;
  readonly #stop = new AbortController();
  #state: SimState;
  #world: World | undefined;
  #failure: unknown;

  /** Reads the state of earlier lives. Throws SimulatorError. */
  constructor(options: SimulationOptions) {
    this.#options = options;
    const { dir, seconds, log } = options;
    this.#file = new StateFile(join(dir, 'state.json'));
    this.#state = nextLife(this.#file.read(), options, Date.now());
    this.#shop = new ShopDatabase({ url: options.mysqlUrl, log });
    const bounded = seconds !== undefined;
    const saysClock = bounded || options.history !== undefined;
    this.#manifest = new Manifest(join(dir, 'manifest.ndjson'), bounded ? undefined : LIVE_MANIFEST_BYTES);
    this.#collector = new CollectorClient({
      url: options.collectorUrl,
      key: options.collectorKey,
      saysClock,
      log,
      onArrived: (event) => {
        this.#manifest.event(event);
        this.#state = { ...this.#state, events: this.#state.events + 1 };
      },
      onFatal: (error) => this.#fail(error),
    });
    this.#changes = new ChangeSender({
      shop: this.#shop,
      saysClock,
      onArrived: (change) => {
        this.#manifest.change(change);
        this.#state = { ...this.#state, changes: this.#state.changes + 1 };
      },
    });
    options.signal.addEventListener('abort', () => this.#end());
    if (options.signal.aborted) this.#end();
  }

  stats(): SimulationStats {
    const { events, changes } = this.#state;
    return { events, changes, resent: this.#collector.resent + this.#shop.resent };
  }

  /** Schema, seed and clock; waits until MySQL is there. Capture may begin after this. */
  async prepare(): Promise<void> {
    const { seed, seconds, history } = this.#options;
    const { start, base, next, life } = this.#state;
    await this.#shop.prepare();
    if (this.#stop.signal.aborted) return;
    const clock = seconds === undefined && history === undefined ? null : base;
    const world = await openWorld(this.#shop, new Random(seed, life, 'seed'), start, clock, next);
    if (this.#stop.signal.aborted) return;
    this.#world = world;
    this.#save({ next: { ...world.next } });
  }

  /** After `prepare`: sends until all of a bounded run has arrived, or the signal is given. Throws SimulatorError. */
  async run(): Promise<SimulationResult> {
    const world = this.#world;
    const sending = this.#changes.run().catch((error: unknown) => this.#fail(error));
    if (world !== undefined && !this.#stop.signal.aborted) await this.#generate(world);
    this.#changes.close();
    await Promise.all([sending, this.#collector.drain()]);
    const isBounded = this.#options.seconds !== undefined;
    const done = isBounded && !this.#stop.signal.aborted && this.#failure === undefined;
    if (done) await this.#sayEnd();
    return await this.#result(done);
  }

  /** Closes what `prepare` has opened, when nothing is to be sent. */
  async close(): Promise<void> {
    this.#abandon();
    await this.#manifest.close();
  }

  async #generate(world: World): Promise<void> {
    const { plan, events, changes } = this.#plan();
    const generator = new Generator(this.#options.seed, this.#state.life, world, this.#options.logins);
    const pacer = new Pacer(plan, Date.now());
    let [eventsLeft, changesLeft, reserved] = [events, changes, 0];
    while (!this.#stop.signal.aborted && (eventsLeft > 0 || changesLeft > 0)) {
      const wall = Date.now();
      const due = pacer.due(wall);
      if (due > reserved) {
        reserved = due + TURNS_AHEAD;
        this.#save({ base: plan.ahead(reserved), next: ahead(world.next, reserved) });
      }
      let made = 0;
      for (; made < due && !this.#full() && (eventsLeft > 0 || changesLeft > 0); made++) {
        world.isFlashSale = plan.isFlashSale();
        const base = plan.base(wall);
        const step = generator.next(base, wall);
        this.#changes.reached(base);
        if (step?.kind === 'event') {
          eventsLeft--;
          this.#collector.offer(step.event);
        } else if (step !== undefined) {
          changesLeft -= step.transaction.changes.length;
          this.#changes.offer(step.transaction);
        }
      }
      reserved -= made;
      pacer.unused(due - made);
      this.#collector.pump();
      await delay(plan.tickMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  #plan(): { plan: Plan; events: number; changes: number } {
    const { seconds, rate } = this.#options;
    const { start, base, history } = this.#state;
    if (seconds === undefined) {
      const plan = history === undefined ? livePlan(rate) : this.#historyPlan(start + history);
      return { plan, events: Infinity, changes: Infinity };
    }
    const events = Math.max(0, Math.round(seconds * rate * EVENTS_PER_SECOND) - this.#state.events);
    const changes = Math.max(0, Math.round(seconds * rate * CHANGES_PER_SECOND) - this.#state.changes);
    const end = Math.max(base, endOf(seconds, start));
    const sale = flashSaleOf(this.#options.flashSaleSeconds, start, endOf(seconds, start));
    return { plan: boundedPlan(base, end, turnsFor(events, changes), sale, rate), events, changes };
  }

  #historyPlan(end: number): Plan {
    const { base, events, changes } = this.#state;
    const all = historyTotals(end - this.#state.start);
    // A life that begins in the live part has nothing left.
    const isOver = base >= end;
    const left = {
      events: isOver ? 0 : Math.max(0, all.events - events),
      changes: isOver ? 0 : Math.max(0, all.changes - changes),
    };
    return historyPlan(Math.min(base, end), end, left, this.#options.rate);
  }

  /** The receivers are slower than the plan. */
  #full(): boolean {
    return (
      this.#collector.backlog >= MAX_WAITING_EVENTS ||
      this.#changes.backlog >= MAX_WAITING_TRANSACTIONS ||
      this.#manifest.full
    );
  }

  /** Both clocks go on after the last event, so that windows close. */
  async #sayEnd(): Promise<void> {
    const { seconds = 0 } = this.#options;
    const clock = Math.max(this.#state.base, endOf(seconds, this.#state.start)) + AFTER_END_MS;
    await Promise.all([this.#shop.commit([clockStatement(clock)]), this.#collector.sayClock(clock)]);
    if (!this.#stop.signal.aborted) this.#save({ base: clock, done: true });
  }

  async #result(done: boolean): Promise<SimulationResult> {
    this.#abandon();
    await this.#manifest.close();
    if (this.#world !== undefined) this.#save({});
    if (this.#failure !== undefined) throw this.#failure;
    return { ...this.stats(), done: done && this.#state.done, manifest: this.#manifest.path };
  }

  #save(part: Partial<SimState>): void {
    this.#state = { ...this.#state, ...part };
    this.#file.write(this.#state);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
    this.#abandon();
  }

  /** Nothing more is made; what is made has a little time to arrive. */
  #end(): void {
    this.#stop.abort();
    setTimeout(() => this.#abandon(), STOP_MS).unref();
  }

  #abandon(): void {
    this.#collector.stop();
    this.#changes.stop();
    this.#shop.stop();
  }
}

function ahead({ user, item, purchase }: NextIds, by: number): NextIds {
  return { user: user + by, item: item + by, purchase: purchase + by };
}
