/** The HTTP side of the collector: who may send, how much at once, and what is answered. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from '#topology';
import type { DecodedRequest, Rejection } from './event-decoder.ts';
import { Keys } from './keys.ts';
import { awayError, RequestError, RETRY_AFTER_S } from './request-error.ts';
import type { CollectorLimits } from './types.ts';

/** Header in which a sender says what time it is there, ms since the epoch. */
const CLOCK_HEADER = 'x-sluice-clock';
/** A sender's clock further ahead than this would make the events of all others late, ms. */
const CLOCK_AHEAD_MS = 3_600_000;
const PATH = '/v1/events';

/** What the server stands on. */
export interface Intake {
  /** What Kafka or the registry is waited for; undefined = events can be taken. */
  readonly waitingFor: string | undefined;
  /** Throws RequestError. */
  decode(body: Buffer, receivedAt: number): DecodedRequest;
  hear(clock: number): void;
  /** Resolves when Kafka has it; rejects with RequestError 503. */
  submit(request: DecodedRequest): Promise<void>;
  /** A sender was told to come again. */
  noteRefusal(): void;
  noteAnswer(status: number): void;
}

export interface ServerOptions {
  readonly intake: Intake;
  readonly keys: readonly string[];
  readonly limits: CollectorLimits;
  readonly logger: Logger;
}

interface Answer {
  readonly accepted: number;
  readonly rejected: readonly Rejection[];
}

/** The server, not listening yet. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { intake, limits, logger } = options;
  const server = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.receiveMs,
    keepAliveTimeout: limits.receiveMs,
    return503OnClosing: true,
    exposeHeadRoutes: false,
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.setErrorHandler((error, _request, reply) => {
    const answer = requestErrorOf(error, limits, logger);
    if (answer.retryAfter !== undefined) intake.noteRefusal();
    return send(reply, answer);
  });
  server.setNotFoundHandler((_request, reply) =>
    send(reply, new RequestError(404, 'SLC_COLLECTOR_PATH', `events go to POST ${PATH}`)),
  );
  server.get('/health', (_request, reply) => {
    const { waitingFor } = intake;
    if (waitingFor === undefined) return reply.send({ status: 'ok' });
    return reply.code(503).header('retry-after', RETRY_AFTER_S).send({ status: 'waiting', waitingFor });
  });
  server.addHook('onResponse', (_request, reply, done) => {
    intake.noteAnswer(reply.statusCode);
    done();
  });
  const admission = new Admission(limits);
  const keys = new Keys(options.keys);
  server.post(PATH, {
    onRequest: (request, reply, done) => {
      if (!keys.admits(request.headers)) {
        throw new RequestError(401, 'SLC_COLLECTOR_KEY', 'authorization: Bearer <key> or x-api-key: <key> is needed');
      }
      refuseEncodings(request);
      if (intake.waitingFor !== undefined) throw awayError(`waiting for ${intake.waitingFor}`);
      admission.admit(request, reply);
      done();
    },
    handler: async (request): Promise<Answer> => {
      if (!Buffer.isBuffer(request.body)) throw new RequestError(400, 'SLC_COLLECTOR_BODY', 'there is no body');
      const now = Date.now();
      const clock = clockIn(request, now);
      const decoded = intake.decode(request.body, now);
      if (clock !== undefined) intake.hear(clock);
      await intake.submit(decoded);
      return { accepted: decoded.records.length - decoded.rejected.length, rejected: decoded.rejected };
    },
  });
  return server;
}

/** How much is in flight: from a request's headers to its answer. */
class Admission {
  readonly #limits: CollectorLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: CollectorLimits) {
    this.#limits = limits;
  }

  /** Throws RequestError 413 or 429. */
  admit(request: FastifyRequest, reply: FastifyReply): void {
    const { bodyBytes, requestsInFlight, bytesInFlight } = this.#limits;
    const said = Number(request.headers['content-length']);
    const bytes = Math.min(Number.isSafeInteger(said) ? said : bodyBytes, bodyBytes);
    if (this.#requests >= requestsInFlight || this.#bytes + bytes > bytesInFlight) {
      throw new RequestError(429, 'SLC_COLLECTOR_BUSY', 'too much is in flight', RETRY_AFTER_S);
    }
    this.#requests++;
    this.#bytes += bytes;
    // Whatever becomes of the request, its response is closed at last.
    reply.raw.once('close', () => {
      this.#requests--;
      this.#bytes -= bytes;
    });
  }
}

function refuseEncodings({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new RequestError(415, 'SLC_COLLECTOR_MEDIA_TYPE', 'the body must not be compressed');
}

function clockIn({ headers }: FastifyRequest, now: number): number | undefined {
  const said = headers[CLOCK_HEADER];
  if (said === undefined) return undefined;
  const clock = typeof said === 'string' && /^\d{1,15}$/.test(said) ? Number(said) : Number.NaN;
  if (clock <= now + CLOCK_AHEAD_MS) return clock;
  const problem = Number.isNaN(clock) ? 'is no time in ms since 1970' : 'is more than 1 h ahead of the clock here';
  throw new RequestError(400, 'SLC_COLLECTOR_CLOCK', `header ${CLOCK_HEADER} ${problem}`);
}

/** What is answered for an error of ours, of fastify, or of the code. */
function requestErrorOf(error: unknown, limits: CollectorLimits, logger: Logger): RequestError {
  if (error instanceof RequestError) return error;
  const code = property(error, 'code');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new RequestError(413, 'SLC_COLLECTOR_TOO_LARGE', `${limits.bodyBytes} bytes is the most for a body`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new RequestError(415, 'SLC_COLLECTOR_MEDIA_TYPE', 'content-type must be application/json');
  }
  const status = property(error, 'statusCode');
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new RequestError(status, 'SLC_COLLECTOR_BODY', 'the request is broken');
  }
  logger.error({ error: error instanceof Error ? error.stack : String(error) }, 'a request failed');
  return new RequestError(500, 'SLC_BUG_COLLECTOR', 'the collector failed; see its log');
}

function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}

function send(reply: FastifyReply, error: RequestError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter);
  if (error.statusCode === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(error.statusCode).send({ code: error.code, message: error.message });
}
