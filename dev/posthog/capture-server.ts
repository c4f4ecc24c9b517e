/** A server that takes what posthog-node and posthog-js send, in PostHog's place: for tests, and for `npm start` without a key. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Failures } from './failures.ts';
import { page } from './page.ts';
import { Received, RefusedRequest } from './received.ts';
import { RequestLog } from './request-log.ts';

/** Options of `startCaptureServer`. */
export interface CaptureOptions {
  /** Its folder: requests are kept there, and those of earlier runs count. */
  readonly dir: string;
  /** Of 127.0.0.1; 0 is any free one. */
  readonly port: number;
  /** Of the file of raw requests (200 MB). */
  readonly maxBytes?: number;
  /** The only key that is right; without it every one is. */
  readonly key?: string;
}

/** A capture server that listens. */
export interface CaptureServer {
  readonly url: string;
  readonly port: number;
  readonly received: Received;
  readonly failures: Failures;
  stop(): Promise<void>;
}

const INGESTION = new Set(['/batch', '/capture', '/e', '/i/v0/e', '/track', '/engage']);
/** PostHog's own: a body, and what it decompresses to. */
const MAX_BODY = 20 * 2 ** 20;
const MAX_BYTES = 200e6;
const unzip = promisify(gunzip);

/** Listens on 127.0.0.1 only: it believes everybody. */
export async function startCaptureServer(options: CaptureOptions): Promise<CaptureServer> {
  const received = new Received();
  const log = new RequestLog(options.dir, options.maxBytes ?? MAX_BYTES);
  await log.open(({ body, at }) => {
    try {
      received.take(body, at);
    } catch (error) {
      if (!(error instanceof RefusedRequest)) throw error;
    }
  });
  const failures = new Failures();
  const capture = new Capture(received, log, failures, options.key);
  const server = createServer((request, response) => void capture.answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, received, failures, stop: () => stop(server, log) };
}

async function stop(server: Server, log: RequestLog): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
  await log.close();
}

class Capture {
  readonly #received: Received;
  readonly #log: RequestLog;
  readonly #failures: Failures;
  readonly #key: string | undefined;

  constructor(received: Received, log: RequestLog, failures: Failures, key: string | undefined) {
    this.#received = received;
    this.#log = log;
    this.#failures = failures;
    this.#key = key;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowBrowsers(request, response);
    try {
      await this.#route(request, response, new URL(request.url ?? '/', 'http://127.0.0.1'));
    } catch (error) {
      if (response.destroyed) return;
      const status = error instanceof RefusedRequest ? error.status : 500;
      json(response, status, {
        type: 'validation_error',
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const path = url.pathname.replace(/\/+$/, '');
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    if (request.method === 'POST' && INGESTION.has(path)) return await this.#ingest(request, response, url);
    // posthog-js asks at its start: no flags, nothing special.
    if (request.method === 'POST' && /^\/(flags|decide)$/.test(path)) {
      return json(response, 200, { flags: {}, errorsWhileComputingFlags: false, featureFlags: {} });
    }
    if (request.method === 'GET' && /^\/array\/[^/]+\/config(\.js)?$/.test(path)) {
      return json(response, 200, { supportedCompression: ['gzip', 'gzip-js'] });
    }
    if (request.method === 'POST' && path === '/_fail') {
      const failure: unknown = parse((await bodyOf(request)).toString());
      try {
        this.#failures.add(failure);
      } catch (error) {
        throw new RefusedRequest(400, error instanceof Error ? error.message : String(error));
      }
      return json(response, 200, { status: 'Ok' });
    }
    if (request.method === 'GET' && path === '/_events') return this.#events(response, url);
    if (request.method === 'GET' && path === '') {
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        .end(page(this.#received, this.#log.trouble));
      return;
    }
    json(response, 404, { detail: `there is no ${request.method} ${path}` });
  }

  #events(response: ServerResponse, url: URL): void {
    const limit = url.searchParams.get('limit') ?? '';
    const events = this.#received.list({
      event: url.searchParams.get('event') ?? undefined,
      ...(/^\d{1,9}$/.test(limit) && { limit: Number(limit) }),
    });
    const { total, again, forgotten } = this.#received;
    json(response, 200, { total, again, forgotten, events });
  }

  async #ingest(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const text = await textOf(request, url);
    const failure = this.#failures.for(text);
    if (failure?.taken === true) await this.#take(text, url.pathname);
    if (failure?.status === 'hang') return;
    if (failure?.status === 'reset') {
      request.socket.destroy();
      return;
    }
    if (failure !== undefined) {
      const headers = failure.retryAfter === undefined ? {} : { 'retry-after': String(failure.retryAfter) };
      return json(response, failure.status, { type: 'server_error', detail: 'failing on demand' }, headers);
    }
    await this.#take(text, url.pathname);
    json(response, 200, { status: 'Ok' });
  }

  async #take(text: string, path: string): Promise<void> {
    const body = parse(text);
    if (this.#key !== undefined && keyOf(body) !== this.#key) throw new RefusedRequest(401, 'API key is not valid');
    const at = Date.now();
    this.#received.take(body, at);
    await this.#log.keep({ at, path, body });
  }
}

function keyOf(body: unknown): unknown {
  const [first] = Array.isArray(body) ? (body as unknown[]) : [body];
  const { api_key: key, token, properties } = Object(first) as Record<string, unknown>;
  return key ?? token ?? (Object(properties) as Record<string, unknown>)['token'];
}

/** JSON as it is, gzip whether it is announced or not (posthog-js sends it as text/plain), or a form's `data` in base64. */
async function textOf(request: IncomingMessage, url: URL): Promise<string> {
  let bytes = await bodyOf(request);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    bytes = await unzip(bytes, { maxOutputLength: MAX_BODY }).catch((error: unknown) => {
      throw new RefusedRequest(error instanceof RangeError ? 413 : 400, `gzip: ${String(error)}`);
    });
  }
  const text = bytes.toString();
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  if (!isForm && url.searchParams.get('compression') !== 'base64') return text;
  return Buffer.from(new URLSearchParams(text).get('data') ?? text, 'base64').toString();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY) throw new RefusedRequest(413, `a body has at most ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusedRequest(400, 'the body is no JSON');
  }
}

function allowBrowsers(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', request.headers.origin ?? '*');
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS');
  response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? '*');
}

function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
