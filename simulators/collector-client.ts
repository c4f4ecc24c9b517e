/** Sends events to the collector in batches, several at a time, each until it has arrived. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { backoffMs, type Log, pause } from './backoff.ts';
import type { SimEvent } from './events.ts';
import { SimulatorError } from './failure.ts';

export interface CollectorOptions {
  readonly url: string;
  /** Project key. */
  readonly key: string;
  /** Every request says the sender's clock. */
  readonly saysClock: boolean;
  readonly log: Log;
  /** Called once per event, when the collector has it. */
  readonly onArrived: (event: SimEvent) => void;
  readonly onFatal: (error: unknown) => void;
}

interface Batch {
  readonly events: readonly SimEvent[];
  readonly body: string;
  /** The sender's time of its oldest event. */
  readonly base: number;
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
}

const PATH = '/v1/events';
const MAX_IN_FLIGHT = 4;
const MIN_BATCH = 100;
const MAX_BATCH = 200;
const LINGER_MS = 100;
const TIMEOUT_MS = 15_000;
const RETRIED = new Set([408, 425, 429]);
/** The collector has looked at each event of the batch and liked none. */
const REFUSED = new Set([400, 422]);

export class CollectorClient {
  readonly #options: CollectorOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #inFlight = new Set<Batch>();
  readonly #stop = new AbortController();
  #queue: SimEvent[] = [];
  #oldestAt = 0;
  #idle: (() => void)[] = [];
  #resent = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#url = new URL(PATH, options.url);
    const limits = { keepAlive: true, maxSockets: MAX_IN_FLIGHT };
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(limits) : new HttpAgent(limits);
  }

  /** Events that wait for a request. */
  get backlog(): number {
    return this.#queue.length;
  }

  /** Requests that were sent again. */
  get resent(): number {
    return this.#resent;
  }

  /** Events come in the order of their `base`. */
  offer(event: SimEvent): void {
    if (this.#queue.length === 0) this.#oldestAt = Date.now();
    this.#queue.push(event);
  }

  /** Sends what is due: full batches, and all when the oldest has waited long enough. */
  pump(flush = false): void {
    while (this.#queue.length > 0 && this.#inFlight.size < MAX_IN_FLIGHT) {
      const isDue = flush || this.#queue.length >= MIN_BATCH || Date.now() >= this.#oldestAt + LINGER_MS;
      if (!isDue) return;
      const events = this.#queue.slice(0, MAX_BATCH);
      this.#queue = this.#queue.slice(MAX_BATCH);
      this.#oldestAt = Date.now();
      const body = `[${events.map((event) => event.body).join(',')}]`;
      const batch: Batch = { events, body, base: events[0]?.base ?? 0 };
      this.#inFlight.add(batch);
      void this.#deliver(batch, flush);
    }
  }

  /** Resolves when all has arrived, or the client was stopped. */
  async drain(): Promise<void> {
    this.pump(true);
    while (this.#inFlight.size > 0 && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
      this.pump(true);
    }
  }

  /** Tells the collector the sender's clock without an event, once all has arrived. */
  async sayClock(clock: number): Promise<void> {
    await this.#untilTaken('[]', clock, 0);
  }

  /** Gives up what has not arrived yet. */
  stop(): void {
    this.#stop.abort();
    this.#agent.destroy();
    this.#wake();
  }

  async #deliver(batch: Batch, flush: boolean): Promise<void> {
    try {
      // Whatever is under way may still be the last to arrive: the clock is that of the oldest of all.
      const clock = Math.min(...Array.from(this.#inFlight, (each) => each.base));
      const status = await this.#untilTaken(batch.body, clock, batch.events.length);
      if (status === undefined) return;
      if (REFUSED.has(status) && !batch.events.every((event) => event.flag.startsWith('invalid:'))) {
        throw refusal(this.#url, status);
      }
      for (const event of batch.events) this.#options.onArrived(event);
    } catch (error) {
      this.#options.onFatal(error);
    } finally {
      this.#inFlight.delete(batch);
      this.#wake();
      if (!this.#stop.signal.aborted) this.pump(flush);
    }
  }

  /** The same body until it is taken: its status. Undefined when stopped before. */
  async #untilTaken(body: string, clock: number, events: number): Promise<number | undefined> {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      if (attempt > 0) this.#resent++;
      const answer = await this.#post(body, clock).catch((error: unknown) => reasonOf(error));
      if (typeof answer === 'object') {
        const { status } = answer;
        if ((status >= 200 && status < 300) || REFUSED.has(status)) return status;
        if (status < 500 && !RETRIED.has(status)) throw refusal(this.#url, status);
      }
      const reason = typeof answer === 'object' ? `HTTP ${answer.status}` : answer;
      const waitMs = Math.max(backoffMs(attempt), (typeof answer === 'object' ? answer.retryAfterMs : undefined) ?? 0);
      if (attempt % 5 === 1) this.#options.log.warn({ reason, events, attempt }, 'waiting for the collector');
      await pause(waitMs, this.#stop.signal);
    }
    return undefined;
  }

  #post(body: string, clock: number): Promise<Answer> {
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    const bytes = Buffer.from(body);
    return new Promise((resolve, reject) => {
      const request = send(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal: this.#stop.signal,
        timeout: TIMEOUT_MS,
        headers: {
          'content-type': 'application/json',
          'content-length': bytes.length,
          authorization: `Bearer ${this.#options.key}`,
          ...(this.#options.saysClock && { 'x-sluice-clock': String(clock) }),
        },
      });
      // The timeout of a socket that is silent; destroying it ends the request with an error.
      request.once('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      request.once('error', reject);
      request.once('response', (response) => {
        response.resume();
        response.once('error', reject);
        response.once('close', () => {
          if (response.complete) resolve({ status: response.statusCode ?? 0, retryAfterMs: retryAfter(response) });
          else reject(new Error('the answer broke off'));
        });
      });
      request.end(bytes);
    });
  }

  #wake(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

function retryAfter(response: IncomingMessage): number | undefined {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

function refusal(url: URL, status: number): SimulatorError {
  return new SimulatorError(
    'SLC_CONFIG_COLLECTOR_REFUSES',
    `the collector at ${url.host} answers ${status} to events`,
    'check SLUICE_COLLECTOR, and that the collector takes the project key that the simulator sends',
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
