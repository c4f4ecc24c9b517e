/** Commits transactions in their order, and between them what time the sender has reached. */
import type { SimChange, SimTransaction } from './changes.ts';
import { clockStatement, type ShopDatabase, statementsOf } from './shop-database.ts';

export interface ChangeSenderOptions {
  readonly shop: ShopDatabase;
  readonly saysClock: boolean;
  /** Called once per change, when it is committed. */
  readonly onArrived: (change: SimChange) => void;
}

const CLOCK_MS = 250;
const IDLE_MS = 50;

export class ChangeSender {
  readonly #options: ChangeSenderOptions;
  readonly #queue: SimTransaction[] = [];
  #reached = Number.NEGATIVE_INFINITY;
  #said = Number.NEGATIVE_INFINITY;
  #clockAt = 0;
  #closing = false;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(options: ChangeSenderOptions) {
    this.#options = options;
  }

  /** Transactions that wait. */
  get backlog(): number {
    return this.#queue.length;
  }

  /** Transactions come in the order of their `base`. */
  offer(transaction: SimTransaction): void {
    this.#queue.push(transaction);
    this.#wake();
  }

  /** Nothing that comes now has an earlier `base`. */
  reached(base: number): void {
    this.#reached = base;
  }

  /** Sends until closed and empty, or stopped. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const transaction = this.#queue[0];
      if (transaction !== undefined) {
        await this.#send(transaction);
        this.#queue.shift();
      } else if (this.#closing) return;
      else await this.#idle();
      if (this.#options.saysClock && Date.now() >= this.#clockAt) await this.#sayClock();
    }
  }

  /** Nothing more is offered: `run` ends when all is sent. */
  close(): void {
    this.#closing = true;
    this.#wake();
  }

  /** `run` ends now; what waits is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #send(transaction: SimTransaction): Promise<void> {
    const { shop, saysClock, onArrived } = this.#options;
    const isCommitted = await shop.commit(statementsOf(transaction, saysClock));
    if (isCommitted) for (const change of transaction.changes) onArrived(change);
  }

  async #sayClock(): Promise<void> {
    this.#clockAt = Date.now() + CLOCK_MS;
    const clock = this.#queue[0]?.base ?? this.#reached;
    if (clock <= this.#said) return;
    this.#said = clock;
    await this.#options.shop.commit([clockStatement(clock)]);
  }

  async #idle(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, IDLE_MS);
    await promise;
    clearTimeout(timer);
  }
}
