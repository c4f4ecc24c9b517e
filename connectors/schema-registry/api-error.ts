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

/** 503: this instance takes no writes (another one has taken over, or Kafka is away). */
export function unavailable(message: string): ApiError {
  return new ApiError(503, 50301, message);
}
