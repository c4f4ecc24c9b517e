/** Schemas of captured tables in the registry. Registering goes the way of all serdes; here is what only a writer of changing schemas needs. */
import { RetriableError, systemClock } from '#topology';
import { ConfluentRegistry } from '../avro/confluent-registry.ts';

const TIMEOUT_MS = 5_000;

/** A subject's schemas. Both calls reject with RetriableError SLC_REGISTRY_AWAY or ConfigError SLC_CONFIG_*. */
export interface SchemaSubjects {
  /** Registers a schema under a subject that allows only BACKWARD_TRANSITIVE changes; its id. */
  register(subject: string, definition: object): Promise<number>;
  /** The newest version, undefined when the subject has none. */
  latest(subject: string): Promise<unknown>;
}

/** Subjects in a registry that speaks Confluent's REST API. */
export function schemaSubjects(registryUrl: string): SchemaSubjects {
  const client = new ConfluentRegistry({
    url: registryUrl,
    clock: systemClock,
    requestTimeoutMs: TIMEOUT_MS,
    attempts: 3,
    backoffMs: 100,
  });
  const url = new URL(registryUrl);
  const base = url.origin + url.pathname.replace(/\/+$/, '');
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const headers: Record<string, string> =
    url.username === '' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  return {
    register: (subject, definition) => client.register(subject, { name: subject, definition }),
    latest: (subject) => latest(`${base}/subjects/${encodeURIComponent(subject)}/versions/latest`, headers),
  };
}

async function latest(address: string, headers: Record<string, string>): Promise<unknown> {
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body = (await response.json()) as { schema?: string; error_code?: number };
    if (response.status === 404 && (body.error_code === 40401 || body.error_code === 40402)) return undefined;
    if (response.status === 200 && body.schema !== undefined) return JSON.parse(body.schema) as unknown;
    throw new Error(`status ${response.status}`);
  } catch (cause) {
    throw new RetriableError('SLC_REGISTRY_AWAY', `reading ${address}: ${String(cause)}`, {
      cause,
      hint: 'is the schema registry running at the address in SLUICE_REGISTRY?',
    });
  }
}
