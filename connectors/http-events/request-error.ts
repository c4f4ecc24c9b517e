/** A request that is answered with an error. Nothing of it is written, unless `statusCode` is 503: then that is not known, and the sender repeats it. */
export class RequestError extends Error {
  override name = 'RequestError';
  readonly statusCode: number;
  /** SLC_COLLECTOR_*. */
  readonly code: string;
  /** For header retry-after, seconds. */
  readonly retryAfter: number | undefined;

  constructor(statusCode: number, code: string, message: string, retryAfter?: number) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Pause asked of senders that are refused for load or while Kafka is away, seconds. */
export const RETRY_AFTER_S = 1;

/** Kafka is away, or was lost while the request was written. */
export function awayError(message: string): RequestError {
  return new RequestError(503, 'SLC_COLLECTOR_AWAY', message, RETRY_AFTER_S);
}

/** Beyond a limit. */
export function tooLarge(message: string): RequestError {
  return new RequestError(413, 'SLC_COLLECTOR_TOO_LARGE', message);
}
