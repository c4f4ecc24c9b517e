/** GET /metrics, /healthz and /readyz of a process. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ConfigError } from '#topology';
import { EXPOSITION_TYPE, expositionText, type Metric } from './exposition.ts';
import { ProcessMetrics } from './process-metrics.ts';

/** How a process is. */
export interface Health {
  /** What is wrong, in words, by part; none = healthy. */
  readonly problems: Readonly<Record<string, string>>;
  /** It can do its work: partitions are assigned and restored, targets are open. */
  readonly ready: boolean;
  /** More, for people. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** What is told. Both are called when somebody asks. */
export interface Told {
  metrics(): readonly Metric[];
  health(): Health;
}

/** A server that listens. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

const TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 50;

/** Listens; port 0 = any free one. ConfigError SLC_METRICS_PORT when the port cannot be taken. */
export async function serveMetrics(
  options: { readonly host: string; readonly port: number },
  told: Told,
): Promise<MetricsServer> {
  const own = new ProcessMetrics();
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, (request, response) => {
    answer(request, response, told, own);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = TIMEOUT_MS;
  // A process that has ended its work must not stay for it.
  server.unref();
  const port = await listen(server, options);
  return {
    port,
    close: async () => {
      own.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, told: Told, own: ProcessMetrics): void {
  const path = request.url?.split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, { error: 'GET only' });
  try {
    if (path === '/metrics') {
      const text = expositionText([...told.metrics(), ...own.read()]);
      response.writeHead(200, { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' }).end(text);
      return;
    }
    const { problems, ready, detail = {} } = told.health();
    const healthy = Object.keys(problems).length === 0;
    if (path === '/healthz')
      return send(response, healthy ? 200 : 503, { status: healthy ? 'ok' : 'failing', problems, ...detail });
    if (path === '/readyz')
      return send(response, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', problems, ...detail });
    send(response, 404, { error: 'there are /metrics, /healthz and /readyz' });
  } catch (error) {
    // A part that cannot say how it is must not end the process that runs it.
    send(response, 500, { error: error instanceof Error ? error.message : String(error) });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new ConfigError(
          'SLC_METRICS_PORT',
          `port ${port} of ${host} for metrics cannot be taken (${cause.code ?? cause.message})`,
          {
            cause,
            hint: 'end the process that has it, or choose another with SLUICE_METRICS_PORT (0: any free one)',
          },
        ),
      );
    });
    server.listen(port, host, () => resolve());
  });
  // An error of a connection is its own; one of the server must not be thrown.
  server.on('error', () => undefined);
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
