import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import avsc from 'avsc';
import { type Clock, ConfigError, RetriableError, type Schema } from '#topology';
import { compareOptions } from './logical-types.ts';
import { messageOf } from './reader-type.ts';
import type { RegistryClient, WriterSchema } from './registry-client.ts';

/** Options of `ConfluentRegistry`. */
export interface ConfluentRegistryOptions {
  /** http(s)://[user:password@]host:port[/path] of anything that speaks Confluent's API. */
  readonly url: string;
  readonly clock: Clock;
  /** One request takes no longer, ms. */
  readonly requestTimeoutMs: number;
  /** How often a call is tried while the registry is away. */
  readonly attempts: number;
  /** Pause before the second try, ms; it doubles with each, with jitter. */
  readonly backoffMs: number;
}

type LibraryOptions = ConstructorParameters<typeof SchemaRegistry>[0];

/** The level of a new subject. A subject that promises more keeps it. */
const LEVEL = COMPATIBILITY.BACKWARD_TRANSITIVE;
const STRONG_ENOUGH = [LEVEL, COMPATIBILITY.FULL_TRANSITIVE];

/** Codes of Confluent's API that say "there is none", as opposed to a 404 of some proxy. */
const UNKNOWN_SUBJECT = 40401;
const UNKNOWN_VERSION = 40402;
const UNKNOWN_SCHEMA = 40403;
const NOT_CONFIGURED: readonly unknown[] = [40401, 40408];

interface Reply {
  readonly status: number;
  readonly code: unknown;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A registry behind HTTP, through @kafkajs/confluent-schema-registry, with what that lacks: time limits, retries, errors by cause. */
export class ConfluentRegistry implements RegistryClient {
  readonly #options: ConfluentRegistryOptions;
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #library: SchemaRegistry;

  constructor(options: ConfluentRegistryOptions) {
    this.#options = options;
    const url = parseUrl(options.url);
    const username = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    const auth = username === '' ? {} : { auth: { username, password } };
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    this.#headers = username === '' ? {} : { authorization: `Basic ${basic}` };
    this.#base = url.origin + url.pathname.replace(/\/+$/, '');
    this.#library = new SchemaRegistry(
      // Retries are ours: the library does not retry POST, and its options leak into every other instance of the process.
      { host: this.#base, clientId: 'sluice', retry: { retries: 0 }, middlewares: [this.#timeLimit()], ...auth },
      { [SchemaType.AVRO]: compareOptions() },
    );
  }

  async register(subject: string, schema: Schema<unknown>): Promise<number> {
    return this.#retrying(async () => {
      const compatibility = await this.#ensureLevel(subject);
      const definition = { type: SchemaType.AVRO, schema: JSON.stringify(schema.definition) } as const;
      const { id } = await this.#library.register(definition, { subject, compatibility, updateConfig: false });
      return id;
    }, `registering ${subject}`);
  }

  async find(id: number): Promise<WriterSchema | undefined> {
    return this.#retrying(async () => {
      try {
        const type: unknown = await this.#library.getSchema(id);
        return type instanceof avsc.Type ? { type } : { problem: 'it is not Avro' };
      } catch (error) {
        const status = statusOf(error);
        if (status === 404 && (await this.#isUnknown(id))) return undefined;
        if (status !== undefined || error instanceof RequestTimeout) throw error;
        // No answer of the registry, but what became of it: the schema does not compile here.
        return { problem: messageOf(error) };
      }
    }, `fetching schema ${id}`);
  }

  /** The newest schema of a subject; undefined when there is no such subject. */
  async latest(subject: string): Promise<{ readonly id: number; readonly version: number } | undefined> {
    return this.#retrying(async () => {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/latest`;
      const { status, code, body } = await this.#request('GET', path);
      if (status === 404 && (code === UNKNOWN_SUBJECT || code === UNKNOWN_VERSION)) return undefined;
      const { id, version } = body;
      if (status !== 200 || typeof id !== 'number' || typeof version !== 'number') throw statusError(status, body);
      return { id, version };
    }, `asking for ${subject}`);
  }

  /** The library gives only the status: a 404 of a proxy must not send records to the dead-letter topic. */
  async #isUnknown(id: number): Promise<boolean> {
    const { status, code } = await this.#request('GET', `/schemas/ids/${id}`);
    if (status === 404 && code !== UNKNOWN_SCHEMA) throw new StatusError(404, "a 404 that is not the registry's");
    return status === 404;
  }

  /** Sees that the subject's level is at least BACKWARD_TRANSITIVE; what it is then. */
  async #ensureLevel(subject: string): Promise<COMPATIBILITY> {
    const path = `/config/${encodeURIComponent(subject)}`;
    const { status, code, body } = await this.#request('GET', path);
    const strong = STRONG_ENOUGH.find((level) => level === body['compatibilityLevel']);
    if (status === 200 && strong !== undefined) return strong;
    if (status !== 200 && !(status === 404 && NOT_CONFIGURED.includes(code))) throw statusError(status, body);
    const put = await this.#request('PUT', path, { compatibility: LEVEL });
    if (put.status !== 200) throw statusError(put.status, put.body);
    return LEVEL;
  }

  async #request(method: string, path: string, body?: object): Promise<Reply> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { ...this.#headers, 'content-type': 'application/vnd.schemaregistry.v1+json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(this.#options.requestTimeoutMs),
    });
    const text = await response.text();
    const parsed: unknown = parseJson(text);
    const reply = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>;
    return { status: response.status, code: reply['error_code'], body: reply };
  }

  #timeLimit(): NonNullable<LibraryOptions['middlewares']>[number] {
    const ms = this.#options.requestTimeoutMs;
    return () => ({
      prepareRequest: async (next) => (await next()).enhance({ signal: AbortSignal.timeout(ms) }),
      // The signal frees the socket, but the library does not notice when that happens in the middle of an answer.
      response: async (next) => {
        const { promise, reject } = Promise.withResolvers<never>();
        const timer = setTimeout(() => reject(new RequestTimeout(ms)), ms + 50);
        return Promise.race([next(), promise]).finally(() => clearTimeout(timer));
      },
    });
  }

  async #retrying<T>(call: () => Promise<T>, what: string): Promise<T> {
    const { attempts, backoffMs, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        const failure = this.#classify(error, what);
        if (!failure.retriable || attempt >= attempts) throw failure;
        await clock.sleep(backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
      }
    }
  }

  #classify(cause: unknown, what: string): ConfigError | RetriableError {
    const status = statusOf(cause);
    const message = `${what} at ${this.#base}: ${messageOf(cause)}`;
    switch (status) {
      case 401:
      case 403:
        return new ConfigError('SLC_CONFIG_REGISTRY_ACCESS', message, {
          cause,
          hint: 'put the user and the password of the registry into SLUICE_REGISTRY',
        });
      case 409:
        return new ConfigError('SLC_CONFIG_SCHEMA_INCOMPATIBLE', message, {
          cause,
          hint: 'add fields with a default, remove only fields that have one, change no type; `sluice schemas check` shows what breaks',
        });
      case 422:
        return new ConfigError('SLC_CONFIG_SCHEMA_INVALID', message, { cause });
      default:
        // 400 too: the library gives it for a refused connection.
        return new RetriableError('SLC_REGISTRY_AWAY', message, {
          cause,
          hint: 'is the schema registry running at the address in SLUICE_REGISTRY?',
        });
    }
  }
}

class RequestTimeout extends Error {
  override name = 'RequestTimeout';
  constructor(ms: number) {
    super(`no answer in ${ms} ms`);
  }
}

class StatusError extends Error {
  override name = 'StatusError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function statusError(status: number, body: Readonly<Record<string, unknown>>): StatusError {
  const { message } = body;
  return new StatusError(
    status,
    typeof message === 'string' ? message : `status ${status}, not from a schema registry`,
  );
}

/** The HTTP status of an error of the library (which exports no class to ask for) or of our own requests. */
function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' ? status : undefined;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new ConfigError('SLC_CONFIG_REGISTRY_URL', 'the address of the schema registry is no http(s) URL', {
      hint: 'set SLUICE_REGISTRY, as in http://127.0.0.1:8081',
    });
  }
  return url;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
