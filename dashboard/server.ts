/** The dashboard over HTTP: a page, its files, and what it is told. It changes nothing, so it asks for no password, and listens on 127.0.0.1. */
import { isIP } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ConfigError, type Logger } from '#topology';
import { type Asset, loadAssets } from './assets.ts';
import { EventHub, HUB_LIMITS, type HubLimits } from './hub.ts';
import { type Probes, Sampler } from './sampler.ts';
import type { PartNow, TopologyNow } from './snapshot.ts';

/** Options of `startDashboard`. */
export interface DashboardOptions {
  readonly topology: TopologyNow;
  /** The topology in full, as `sluice describe --json` prints it. */
  readonly description: Readonly<Record<string, unknown>>;
  readonly probes: Probes;
  readonly host: string;
  /** 0: any free one. One that is taken is replaced by a free one. */
  readonly port: number;
  /** Names under which it may be asked, besides addresses and localhost: a page elsewhere must not reach it by a name of its own (DNS rebinding). */
  readonly names?: readonly string[];
  readonly limits?: HubLimits;
  readonly stepMs?: number;
  readonly logger: Logger;
}

/** A dashboard that listens. */
export interface Dashboard {
  readonly url: string;
  readonly port: number;
  /** How what it asks is. */
  parts(): readonly PartNow[];
  /** Pages that look now, and those that were cut off because they did not read. */
  clients(): { readonly open: number; readonly dropped: number };
  stop(): Promise<void>;
}

const NOT_THERE = { error: 'there is no such page' };
const STEP_MS = 1_000;
const REQUEST_MS = 5_000;
const MAX_CONNECTIONS = 200;
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
};

/** Listens and samples. ConfigError SLC_DASHBOARD_LISTEN when it cannot listen there at all. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const assets = await loadAssets();
  const hub = new EventHub(options.limits ?? HUB_LIMITS, (clients) => sampler.watch(clients > 0));
  const sampler = new Sampler({
    app: options.topology.app,
    probes: options.probes,
    stepMs: options.stepMs ?? STEP_MS,
    onSnapshot: (snapshot) => hub.send('snapshot', snapshot),
  });
  const server = fastify({
    logger: false,
    bodyLimit: 1_024,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 100 },
  });
  server.server.maxConnections = MAX_CONNECTIONS;
  guard(server, new Set(['localhost', ...(options.names ?? [])]));
  serveAssets(server, assets);
  server.get('/api/topology', () => ({ ...options.description, graph: options.topology }));
  server.get('/api/snapshot', () => ({ ...sampler.snapshot, past: sampler.history }));
  server.get('/healthz', () => ({ status: 'ok', clients: hub.size }));
  server.get('/api/events', (_request, reply) => {
    if (hub.isFull) return reply.code(503).header('retry-after', '10').send({ error: 'too many pages look already' });
    reply.hijack();
    const headers = { ...HEADERS, 'content-type': 'text/event-stream', connection: 'keep-alive' };
    reply.raw.writeHead(200, { ...headers, 'x-accel-buffering': 'no' });
    hub.add(reply.raw, [
      { event: 'topology', data: options.topology },
      { event: 'history', data: sampler.history },
      { event: 'snapshot', data: sampler.snapshot },
    ]);
    return reply;
  });
  const port = await listen(server, options);
  sampler.start();
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    port,
    parts: () => sampler.snapshot.parts,
    clients: () => ({ open: hub.size, dropped: hub.dropped }),
    async stop() {
      sampler.stop();
      hub.close();
      await server.close();
    },
  };
}

function guard(server: FastifyInstance, names: ReadonlySet<string>): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (!isOurs(request.headers.host ?? '', names))
      return await reply.code(421).send({ error: 'not asked under a name of this dashboard (SLUICE_DASHBOARD_NAMES)' });
  });
  server.setNotFoundHandler(async (_request, reply) => await reply.code(404).send(NOT_THERE));
  server.setErrorHandler(async (error: Error & { readonly statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return await reply.code(status).send({ error: status < 500 ? error.message : 'it failed' });
  });
}

/** `Host` without its port. */
function isOurs(host: string, names: ReadonlySet<string>): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return names.has(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

function serveAssets(server: FastifyInstance, assets: ReadonlyMap<string, Asset>): void {
  const send = (request: FastifyRequest, reply: FastifyReply, asset: Asset | undefined): FastifyReply => {
    if (asset === undefined) return reply.code(404).send(NOT_THERE);
    // Asked for each time, so that a new version shows at once.
    reply.header('cache-control', 'no-cache').header('etag', asset.etag);
    if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
    return reply.type(asset.type).send(asset.body);
  };
  server.get('/', (request, reply) => send(request, reply, assets.get('index.html')));
  server.get<{ Params: { name: string } }>('/assets/:name', (request, reply) =>
    send(request, reply, assets.get(request.params.name)),
  );
}

async function listen(server: FastifyInstance, { host, port, logger }: DashboardOptions): Promise<number> {
  try {
    return portOf(await server.listen({ host, port }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && port !== 0) {
      logger.warn({ port }, 'the port is taken: another one is used');
      return portOf(await server.listen({ host, port: 0 }));
    }
    throw new ConfigError(
      'SLC_DASHBOARD_LISTEN',
      `the dashboard cannot listen on ${host}:${port} (${code ?? 'error'})`,
      {
        cause: error,
        hint: 'choose another SLUICE_DASHBOARD_HOST or SLUICE_DASHBOARD_PORT (0: any free one)',
      },
    );
  }
}

const portOf = (address: string): number => Number(new URL(address).port);
