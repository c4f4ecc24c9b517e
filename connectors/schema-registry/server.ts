import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ApiError, unavailable } from './api-error.ts';
import { parseReferences, type SchemaVersion } from './records.ts';
import { type SchemaRegistry, sentSchema } from './registry.ts';

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
const BODY_LIMIT = 2 ** 20;
const REQUEST_TIMEOUT_MS = 30_000;

interface Call {
  readonly Params: Readonly<Record<string, string>>;
  readonly Querystring: Readonly<Record<string, string | undefined>>;
}

type Answer = (request: FastifyRequest<Call>) => unknown;

/** Confluent's REST API over a registry: the part that Confluent's and kafkajs's clients and Redpanda Console use. Listens to nothing yet. 503 while not `isServing`. */
export function registryServer(registry: SchemaRegistry, isServing: () => boolean): FastifyInstance {
  const server = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: 1_024, ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => void answerError(error, reply),
  });
  server.addHook('onRequest', (_request, _reply, done) => {
    done(isServing() ? undefined : unavailable('the registry does not serve now: it is starting or stopping'));
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') return done(null, undefined);
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(new ApiError(400, 400, 'the body is no JSON'));
    }
  });
  server.setErrorHandler((error, _request, reply) => answerError(error, reply));
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).type(CONTENT_TYPE).send({ error_code: 404, message: 'HTTP 404 Not Found' }),
  );
  const route = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, answer: Answer): void => {
    server.route<Call>({
      method,
      url,
      handler: async (request, reply) => reply.type(CONTENT_TYPE).send(JSON.stringify(await answer(request))),
    });
  };
  addMetadata(route);
  addSchemas(route, registry);
  addSubjects(route, registry);
  addConfig(route, registry);
  addMode(route, registry);
  return server;
}

type Route = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, answer: Answer) => void;

function addMetadata(route: Route): void {
  route('GET', '/', () => ({}));
  route('GET', '/contexts', () => ['.']);
  route('GET', '/v1/metadata/id', () => ({ scope: { path: [], clusters: {} }, id: '' }));
  route('GET', '/v1/metadata/version', () => ({ version: '7.9.0-sluice', commitId: '' }));
}

function addSchemas(route: Route, registry: SchemaRegistry): void {
  route('GET', '/schemas/types', () => ['AVRO']);
  route('GET', '/schemas', ({ query }) =>
    registry.subjects(query['subjectPrefix'] ?? '', isTrue(query['deleted'])).flatMap((subject) => {
      const versions = registry.versions(subject, isTrue(query['deleted']));
      return (isTrue(query['latestOnly']) ? versions.slice(-1) : versions).map(viewOf);
    }),
  );
  route('GET', '/schemas/ids/:id', ({ params }) => {
    const [{ schema, schemaType, references }] = registry.withId(idOf(params));
    return { schema, schemaType, references };
  });
  route(
    'GET',
    '/schemas/ids/:id/schema',
    ({ params }) => JSON.parse(registry.withId(idOf(params))[0].schema) as unknown,
  );
  route('GET', '/schemas/ids/:id/subjects', ({ params }) => {
    const found = registry.withId(idOf(params)).filter(({ deleted }) => !deleted);
    return [...new Set(found.map(({ subject }) => subject))];
  });
  route('GET', '/schemas/ids/:id/versions', ({ params }) => {
    const found = registry.withId(idOf(params)).filter(({ deleted }) => !deleted);
    return found.map(({ subject, version }) => ({ subject, version }));
  });
}

function addSubjects(route: Route, registry: SchemaRegistry): void {
  route('GET', '/subjects', ({ query }) => registry.subjects(query['subjectPrefix'] ?? '', isTrue(query['deleted'])));
  route('POST', '/subjects/:subject', ({ params, query, body }) =>
    viewOf(registry.find(param(params, 'subject'), sentSchema(body, parseReferences), isTrue(query['deleted']))),
  );
  route('DELETE', '/subjects/:subject', ({ params, query }) =>
    registry.deleteSubject(param(params, 'subject'), isTrue(query['permanent'])),
  );
  route('GET', '/subjects/:subject/versions', ({ params, query }) =>
    registry.versions(param(params, 'subject'), isTrue(query['deleted'])).map(({ version }) => version),
  );
  route('POST', '/subjects/:subject/versions', async ({ params, body }) => ({
    id: await registry.register(param(params, 'subject'), sentSchema(body, parseReferences)),
  }));
  route('GET', '/subjects/:subject/versions/:version', ({ params, query }) =>
    viewOf(registry.version(param(params, 'subject'), param(params, 'version'), isTrue(query['deleted']))),
  );
  route('GET', '/subjects/:subject/versions/:version/schema', ({ params }) => {
    return JSON.parse(registry.version(param(params, 'subject'), param(params, 'version')).schema) as unknown;
  });
  route('GET', '/subjects/:subject/versions/:version/referencedby', ({ params }) =>
    registry.referencedBy(param(params, 'subject'), param(params, 'version')),
  );
  route('DELETE', '/subjects/:subject/versions/:version', ({ params, query }) =>
    registry.deleteVersion(param(params, 'subject'), param(params, 'version'), isTrue(query['permanent'])),
  );
}

function addConfig(route: Route, registry: SchemaRegistry): void {
  const compatibility: Answer = ({ params, query, body }) => {
    const sent = sentSchema(body, parseReferences);
    const messages = registry.problems(param(params, 'subject'), sent, params['version']);
    return { is_compatible: messages.length === 0, ...(isTrue(query['verbose']) ? { messages } : {}) };
  };
  route('POST', '/compatibility/subjects/:subject/versions', compatibility);
  route('POST', '/compatibility/subjects/:subject/versions/:version', compatibility);
  const levelIn = (body: unknown): unknown => (Object(body) as Record<string, unknown>)['compatibility'] ?? '';
  route('GET', '/config', () => ({ compatibilityLevel: registry.level(undefined, true) }));
  route('PUT', '/config', async ({ body }) => ({ compatibility: await registry.setLevel(null, levelIn(body)) }));
  route('GET', '/config/:subject', ({ params, query }) => ({
    compatibilityLevel: registry.level(param(params, 'subject'), isTrue(query['defaultToGlobal'])),
  }));
  route('PUT', '/config/:subject', async ({ params, body }) => ({
    compatibility: await registry.setLevel(param(params, 'subject'), levelIn(body)),
  }));
  route('DELETE', '/config/:subject', async ({ params }) => ({
    compatibility: await registry.removeLevel(param(params, 'subject')),
  }));
}

function addMode(route: Route, registry: SchemaRegistry): void {
  const modeIn = (body: unknown): unknown => (Object(body) as Record<string, unknown>)['mode'] ?? '';
  route('GET', '/mode', () => ({ mode: registry.mode(undefined, true) }));
  route('PUT', '/mode', async ({ body }) => ({ mode: await registry.setMode(null, modeIn(body)) }));
  route('GET', '/mode/:subject', ({ params, query }) => ({
    mode: registry.mode(param(params, 'subject'), isTrue(query['defaultToGlobal'])),
  }));
  route('PUT', '/mode/:subject', async ({ params, body }) => ({
    mode: await registry.setMode(param(params, 'subject'), modeIn(body)),
  }));
  route('DELETE', '/mode/:subject', async ({ params }) => ({
    mode: await registry.removeMode(param(params, 'subject')),
  }));
}

function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const { status, code, message } = error instanceof ApiError ? error : otherError(error);
  return reply
    .code(status)
    .type(CONTENT_TYPE)
    .send(JSON.stringify({ error_code: code, message }));
}

/** fastify's own errors (a body over the limit) keep their status; all others are ours to mend. */
function otherError(error: unknown): ApiError {
  const { statusCode, message } = Object(error) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode < 500) return new ApiError(statusCode, statusCode, String(message));
  return new ApiError(500, 50001, `Error in the backend data store: ${String(message)}`);
}

function viewOf({ subject, version, id, schemaType, references, schema }: SchemaVersion): object {
  return { subject, version, id, schemaType, references, schema };
}

const isTrue = (text: string | undefined): boolean => text === 'true';

function param(params: Readonly<Record<string, string>>, name: string): string {
  return params[name] ?? '';
}

function idOf(params: Readonly<Record<string, string>>): number {
  const id = Number(params['id']);
  if (Number.isInteger(id)) return id;
  throw new ApiError(404, 404, 'HTTP 404 Not Found');
}
