/** What a client of the registry gets: HTTP status, Confluent's error code, a message. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** 42201: not a schema that can be registered. */
export function invalidSchema(message: string): ApiError {
  return new ApiError(422, 42201, message);
}

/** 50001: Kafka did not take a write. Whether it was written is not known; the same call again is safe. */
export function storeFailed(message: string): ApiError {
  return new ApiError(500, 50001, `Error in the backend data store: ${message}`);
}

/** 50002: a write took too long. Whether it was written is not known; the same call again is safe. */
export function timedOut(message: string): ApiError {
  return new ApiError(500, 50002, message);
}

/** 503: this instance does not serve yet, or no longer, or has too much to do. Nothing was written. */
export function unavailable(message: string): ApiError {
  return new ApiError(503, 503, message);
}
