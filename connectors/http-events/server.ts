import { createHash, timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { EventSorter, Rejected } from './events.ts';
import type { EventWriter } from './event-writer.ts';
import type { CollectorLimits } from './types.ts';

/** What the server needs. */
export interface CollectorServerOptions {
  readonly sorter: EventSorter;
  readonly writer: EventWriter;
  readonly keys: readonly string[];
  readonly limits: CollectorLimits;
  now(): number;
  /** A request with a sender's clock has been written. */
  heard(time: number): void;
  counted(accepted: number, rejected: number): void;
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const RETRY_AFTER_S = '1';
const REQUEST_TIMEOUT_MS = 30_000;

/** POST /v1/events and GET /health. Listens to nothing yet. */
export function collectorServer(options: CollectorServerOptions): FastifyInstance {
  const { limits, writer } = options;
  const server = fastify({ bodyLimit: limits.bodyBytes, requestTimeout: REQUEST_TIMEOUT_MS });
  const isAllowed = keyCheck(options.keys);
  server.setErrorHandler((error, _request, reply) => send(reply, answerOf(error)));
  server.setNotFoundHandler((_request, reply) =>
    send(reply, { status: 404, code: 'SLC_HTTP_NOT_FOUND', message: 'POST /v1/events, GET /health' }),
  );
  server.get('/health', () => ({ status: 'ok' }));
  server.post(
    '/v1/events',
    {
      // Before the body is read: a stranger's megabyte costs nothing.
      onRequest: (request, reply, done) => {
        const { authorization = '', 'x-api-key': key = '' } = request.headers;
        const given = /^Bearer\s+(.+)$/i.exec(authorization)?.[1] ?? String(key);
        if (!isAllowed(given))
          return send(reply, { status: 401, code: 'SLC_HTTP_KEY', message: 'the key is missing or wrong' });
        if (writer.pending >= limits.queuedEvents) {
          return send(reply, {
            status: 429,
            code: 'SLC_HTTP_BUSY',
            message: 'too many events wait for Kafka; send them again later',
          });
        }
        done();
      },
    },
    async (request, reply) => {
      const events: readonly unknown[] = Array.isArray(request.body) ? request.body : [request.body];
      if (events.length > limits.eventsPerRequest) {
        return send(reply, {
          status: 413,
          code: 'SLC_HTTP_TOO_MANY',
          message: `at most ${limits.eventsPerRequest} events in one request`,
        });
      }
      if (events.some((event) => typeof event !== 'object' || event === null || Array.isArray(event))) {
        return send(reply, {
          status: 400,
          code: 'SLC_HTTP_BODY',
          message: 'the body must be an event or a list of events: {"event", "properties"}',
        });
      }
      return await accept(options, events, request.headers['x-sluice-clock'], reply);
    },
  );
  return server;
}

async function accept(
  options: CollectorServerOptions,
  events: readonly unknown[],
  senderClock: string | string[] | undefined,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { records, rejected } = options.sorter.sort(events, options.now());
  try {
    await within(options.writer.write(records), options.limits.ackMs);
  } catch {
    return await send(reply, {
      status: 503,
      code: 'SLC_HTTP_UNCONFIRMED',
      message:
        'Kafka has not confirmed the events; send the same body again (the same eventId twice is recognised downstream)',
    });
  }
  const time = Number(senderClock ?? Number.NaN);
  if (Number.isSafeInteger(time)) options.heard(time);
  const accepted = events.length - rejected.length;
  options.counted(accepted, rejected.length);
  return await reply
    .code(200)
    .send({ accepted, rejected } satisfies { accepted: number; rejected: readonly Rejected[] });
}

function send(reply: FastifyReply, { status, code, message }: Answer): FastifyReply {
  if (status === 429 || status === 503) void reply.header('retry-after', RETRY_AFTER_S);
  return reply.code(status).send({ error: { code, message } });
}

/** fastify says what is wrong with a body: no JSON 400, over the limit 413, another type 415. */
function answerOf(error: unknown): Answer {
  const { statusCode, message } = Object(error) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, code: 'SLC_HTTP_BODY', message: String(message) };
  }
  return {
    status: 500,
    code: 'SLC_HTTP_BUG',
    message: 'an error of the collector; nothing of this request was written',
  };
}

/** Compares digests: neither length nor content of a key shows in the time it takes. */
function keyCheck(keys: readonly string[]): (given: string) => boolean {
  const digest = (key: string): Buffer => createHash('sha256').update(key).digest();
  const known = keys.map(digest);
  return (given) => {
    const asked = digest(given);
    return known.filter((key) => timingSafeEqual(key, asked)).length > 0;
  };
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no acknowledgement')), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
