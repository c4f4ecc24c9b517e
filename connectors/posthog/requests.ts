/**
 * The `fetch` that posthog-node sends by. Its own retries lose events (measured with 5.70.0: after a 500, 503 or 429 that lasts, the batch is
 * taken out of the queue; Retry-After is not heeded), so all retrying is done here and posthog-node is told to do none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectorError, RetriableError, type SluiceError } from '#topology';

/** What came of a flush's last request. */
export type Outcome =
  | { readonly kind: 'accepted' }
  /** For what it holds (400, 413): the same request would be refused again. */
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: SluiceError };

/** The part of a request that posthog-node hands to its fetch. */
export interface PostHogRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Blob | (Uint8Array & { buffer: ArrayBuffer }) | undefined;
}

/** The part of a response that posthog-node reads. */
export interface PostHogResponse {
  readonly status: number;
  text(): Promise<string>;
  json(): Promise<unknown>;
  readonly headers: { get(name: string): string | null };
}

/** Options of `Requests`. */
export interface RequestOptions {
  readonly host: string;
  readonly requestTimeoutMs: number;
  readonly patienceMs: number;
  readonly random: () => number;
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 2_000;
/** Longer than this nobody has to wait because a server says so. */
const RETRY_AFTER_MAX_MS = 300_000;
const ANSWER_CHARS = 300;

/** Requests to one host by all partitions of a sink: when the server asks for a pause, all keep it. */
export class Requests {
  readonly #options: RequestOptions;
  readonly #abort = new AbortController();
  /** Wall clock, ms: no request before. */
  #notBefore = 0;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /** Ends what is under way with RetriableError. */
  close(): void {
    this.#abort.abort();
  }

  /** A fetch for one sender; `tell` hears the outcome of each request before posthog-node does. */
  fetchFor(tell: (outcome: Outcome) => void): (url: string, request: PostHogRequest) => Promise<PostHogResponse> {
    return async (url, request) => {
      try {
        const { status, text, headers } = await this.#send(url, request);
        tell(outcomeOf(status, text, this.#options.host));
        return {
          status,
          text: () => Promise.resolve(text),
          json: () => Promise.resolve(JSON.parse(text)),
          headers,
        };
      } catch (error) {
        const known =
          error instanceof RetriableError ? error : this.#away(error instanceof Error ? error.message : String(error));
        tell({ kind: 'failed', error: known });
        throw known;
      }
    };
  }

  async #send(url: string, request: PostHogRequest): Promise<{ status: number; text: string; headers: Headers }> {
    const giveUp = Date.now() + this.#options.patienceMs;
    for (let attempt = 0; ; attempt += 1) {
      await this.#wait(this.#notBefore, giveUp, 'it asked for a pause');
      const answer = await this.#once(url, request);
      if (typeof answer !== 'string' && !isPassing(answer.status)) return answer;
      const why =
        typeof answer === 'string' ? answer : `it answered ${answer.status} ${answer.text.slice(0, ANSWER_CHARS)}`;
      const pause = typeof answer === 'string' ? undefined : pauseOf(answer.headers);
      if (pause !== undefined) this.#notBefore = Math.max(this.#notBefore, Date.now() + pause);
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 10));
      await this.#wait(Date.now() + backoff * (0.5 + this.#options.random() / 2), giveUp, why);
    }
  }

  /** The answer, or why there is none. */
  async #once(
    url: string,
    { method, headers, body }: PostHogRequest,
  ): Promise<{ status: number; text: string; headers: Headers } | string> {
    const timeout = AbortSignal.timeout(this.#options.requestTimeoutMs);
    try {
      const response = await fetch(url, {
        method,
        headers,
        // A POST that follows a redirect becomes a GET, whose answer is a page and 200.
        redirect: 'manual',
        signal: AbortSignal.any([timeout, this.#abort.signal]),
        ...(body !== undefined && { body }),
      });
      return { status: response.status, text: await response.text(), headers: response.headers };
    } catch (error) {
      if (this.#abort.signal.aborted) throw this.#away('the sink was closed');
      if (timeout.aborted) return `no answer within ${this.#options.requestTimeoutMs} ms`;
      return reasonOf(error);
    }
  }

  /** RetriableError at once when `giveUp` would pass meanwhile: whoever writes says what is waited for, and tries again. */
  async #wait(until: number, giveUp: number, why: string): Promise<void> {
    const now = Date.now();
    if (until <= now) return;
    if (until > giveUp) {
      await this.#sleep(Math.max(0, giveUp - now));
      throw this.#away(why);
    }
    await this.#sleep(until - now);
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#abort.signal }).catch(() => {
      throw this.#away('the sink was closed');
    });
  }

  #away(why: string): RetriableError {
    return new RetriableError('SLC_POSTHOG_AWAY', `PostHog at ${this.#options.host}: ${why}`);
  }
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** `Retry-After` in seconds or as a date; ms from now. */
function pauseOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (value === '') return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, ms));
}

/** fetch says "fetch failed"; its cause says why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = 'code' in cause ? String(cause.code) : '';
  return cause.message === '' ? code : cause.message;
}

function outcomeOf(status: number, text: string, host: string): Outcome {
  const answer = text.slice(0, ANSWER_CHARS);
  if (status === 400 || status === 413) return { kind: 'refused', status, reason: `${status} ${answer}` };
  if (status === 401 || status === 403) {
    const error = new ConnectorError('SLC_POSTHOG_ACCESS', `PostHog at ${host} refuses the key: ${status} ${answer}`, {
      hint: 'set SLUICE_POSTHOG_KEY to the key of the project (phc_...) and SLUICE_POSTHOG_HOST to where the project is',
    });
    return { kind: 'failed', error };
  }
  if (status < 200 || status >= 300) {
    return { kind: 'failed', error: notPostHog(host, `it answered ${status} ${answer}`) };
  }
  return accepted(text, host);
}

/** 200 alone is not enough: any web server says that. */
function accepted(text: string, host: string): Outcome {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body !== 'object' || body === null || !('status' in body)) {
    return { kind: 'failed', error: notPostHog(host, `it answered ${text.slice(0, ANSWER_CHARS)}`) };
  }
  const limited = 'quota_limited' in body && Array.isArray(body.quota_limited) ? body.quota_limited : [];
  if (limited.length === 0) return { kind: 'accepted' };
  const error = new ConnectorError('SLC_POSTHOG_QUOTA', `PostHog at ${host} drops events: ${limited.join(', ')}`, {
    hint: "the project is over its billing limit; raise it in PostHog's settings, the sink goes on then by itself",
  });
  return { kind: 'failed', error };
}

function notPostHog(host: string, why: string): ConnectorError {
  return new ConnectorError('SLC_POSTHOG_HOST', `no PostHog at ${host}: ${why}`, {
    hint: 'SLUICE_POSTHOG_HOST is where PostHog takes events in: https://us.i.posthog.com, https://eu.i.posthog.com, or one of your own',
  });
}
