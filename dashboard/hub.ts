/** Tells all pages that look at once (server-sent events): each of them the same bytes. */
import type { ServerResponse } from 'node:http';

/** Limits of a hub. */
export interface HubLimits {
  /** Pages at the same time. */
  readonly clients: number;
  /** What may wait for a page that does not read, bytes: then it is cut off, and comes again by itself. */
  readonly waitingBytes: number;
  /** A comment that keeps proxies from cutting, and finds pages that are gone, ms. */
  readonly heartbeatMs: number;
}

export const HUB_LIMITS: HubLimits = { clients: 32, waitingBytes: 1_048_576, heartbeatMs: 10_000 };

/** What a hub needs of a response. */
export type EventStream = Pick<ServerResponse, 'write' | 'end' | 'destroy' | 'once' | 'writableLength' | 'destroyed'>;

/** All pages that look. */
export class EventHub {
  readonly #limits: HubLimits;
  readonly #onCount: (clients: number) => void;
  readonly #clients = new Set<EventStream>();
  readonly #timer: NodeJS.Timeout;
  #dropped = 0;
  #closed = false;

  /** `onCount`: when a page comes or goes. */
  constructor(limits: HubLimits = HUB_LIMITS, onCount: (clients: number) => void = () => undefined) {
    this.#limits = limits;
    this.#onCount = onCount;
    this.#timer = setInterval(() => this.#toAll(': still here\n\n'), limits.heartbeatMs).unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Pages that were cut off because they did not read. */
  get dropped(): number {
    return this.#dropped;
  }

  get isFull(): boolean {
    return this.#closed || this.#clients.size >= this.#limits.clients;
  }

  /** `first`: events for this page only. False when there are too many; the stream is not touched then. */
  add(stream: EventStream, first: readonly { readonly event: string; readonly data: unknown }[]): boolean {
    if (this.isFull) return false;
    this.#clients.add(stream);
    stream.once('close', () => this.#forget(stream));
    stream.once('error', () => this.#forget(stream));
    this.#to(stream, `retry: 1000\n\n${first.map(({ event, data }) => frame(event, data)).join('')}`);
    this.#onCount(this.#clients.size);
    return true;
  }

  send(event: string, data: unknown): void {
    if (this.#clients.size > 0) this.#toAll(frame(event, data));
  }

  /** Ends all streams; no more are taken. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const stream of this.#clients) stream.end();
    this.#clients.clear();
  }

  #toAll(text: string): void {
    for (const stream of this.#clients) this.#to(stream, text);
  }

  #to(stream: EventStream, text: string): void {
    if (stream.destroyed) return this.#forget(stream);
    stream.write(text);
    if (stream.writableLength <= this.#limits.waitingBytes) return;
    this.#dropped++;
    this.#forget(stream);
    stream.destroy();
  }

  #forget(stream: EventStream): void {
    if (this.#clients.delete(stream)) this.#onCount(this.#clients.size);
  }
}

/** JSON has no line breaks: one line of data. */
function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
