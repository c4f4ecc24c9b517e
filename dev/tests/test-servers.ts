/** Real servers for tests: in a temporary folder, on free ports, ended with their data. */
import { join } from 'node:path';
import {
  ended,
  kafkaPart,
  mariadbPart,
  type Part,
  type PartContext,
  type PartName,
  postgresPart,
  type RunningPart,
  signalGroup,
} from '../parts/index.ts';
import { registryPart } from '../supervisor/registry-part.ts';
import type { RunFile } from '../supervisor/run-file.ts';
import { noteServers } from './abandoned.ts';

export interface TestServers {
  /** SLUICE_TEST_*: what tests read. */
  readonly env: Readonly<Record<string, string>>;
  /** kill -9; resolves when it has ended. */
  kill(name: PartName): Promise<void>;
  /** Starts a server that was killed again: the same data, the same address. */
  revive(name: PartName): Promise<void>;
  /** Ends them and deletes their data; the logs stay. */
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly root: string;
  /** Data and logs (`logs/<part>.log`) of this run only. An absolute path. */
  readonly folder: string;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  /** Data stays when they end. */
  readonly keepData?: boolean;
  progress(text: string): void;
}

const DISK_BYTES = 4 * 2 ** 30;
const STOP_MS = 10_000;
const TEST_ENV = {
  kafka: 'SLUICE_TEST_KAFKA',
  registry: 'SLUICE_TEST_REGISTRY',
  mysql: 'SLUICE_TEST_MYSQL',
  postgres: 'SLUICE_TEST_POSTGRES',
} as const satisfies Record<PartName, string>;

/** Starts all of them in parallel, the registry behind Kafka. When one fails the others are ended. */
export async function startTestServers(options: TestServerOptions): Promise<TestServers> {
  const { failures, ...servers } = await startAvailableServers(options);
  const [failure] = failures;
  if (failure === undefined) return servers;
  await servers.stop();
  throw failure;
}

/** Like `startTestServers`, but those that start stay, with a failure for each other one: tests that do not need it can run. */
export async function startAvailableServers(
  options: TestServerOptions,
): Promise<TestServers & { readonly failures: readonly Error[] }> {
  const begun = Date.now();
  const stops: (() => Promise<void>)[] = [];
  const servers = new Map<PartName, Server>();
  const notes = noteServers(options.folder);
  const env: Record<string, string> = { SLUICE_TEST_CACHE: options.cacheDir };
  const start = async (part: Part): Promise<string> => {
    const server = await startPart(part, options, stops);
    note(notes, server);
    servers.set(part.name, server);
    const { address } = server.running;
    env[TEST_ENV[part.name]] = address;
    return address;
  };
  const role = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(options.root, 'bin', 'main.ts'),
  ] as const;
  const outcomes = await Promise.allSettled([
    start(kafkaPart({ isShortLived: true })).then((kafka) => start(registryPart([...role, 'registry'], kafka))),
    start(mariadbPart()),
    start(postgresPart()),
  ]);
  options.progress(`servers have started (${((Date.now() - begun) / 1_000).toFixed(1)} s)`);
  return {
    env,
    kill: (name) => killServer(serverOf(servers, name)),
    revive: async (name) => {
      const server = serverOf(servers, name);
      await reviveServer(server);
      note(notes, server);
    },
    failures: outcomes.flatMap((one) => (one.status === 'rejected' ? [asError(one.reason)] : [])),
    stop: async () => {
      // The registry writes to Kafka: what was started last ends first.
      for (const stop of stops.splice(0).toReversed()) {
        await stop().catch((error: unknown) => options.progress(asError(error).message));
      }
      notes.finish();
    },
  };
}

interface Server {
  readonly part: Part;
  readonly context: PartContext;
  running: RunningPart;
}

function note(notes: RunFile, { part, running: { pid, startTime, ports } }: Server): void {
  const since = new Date().toISOString();
  notes.put({ name: part.name, kind: 'part', pid, startTime, command: part.name, since, ports });
}

async function startPart(part: Part, options: TestServerOptions, stops: (() => Promise<void>)[]): Promise<Server> {
  const { folder, cacheDir, signal } = options;
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new Error(missing);
  const dataDir = join(folder, part.name);
  // Data may lie elsewhere, and is there already when a start fails.
  stops.push(async () => {
    if (options.keepData !== true) await part.removeData(dataDir);
  });
  let told = '';
  const context: PartContext = {
    dataDir,
    logFile: join(folder, 'logs', `${part.name}.log`),
    cacheDir,
    diskBytes: DISK_BYTES,
    ports: {},
    signal,
    progress(text) {
      if (text !== told) options.progress(`${part.name}: ${text}`);
      told = text;
    },
  };
  const server: Server = { part, context, running: await part.start(context) };
  stops.push(() => server.running.stop(STOP_MS));
  return server;
}

async function killServer({ running, part }: Server): Promise<void> {
  signalGroup(running, 'SIGKILL');
  if (!(await ended(running, STOP_MS))) throw new Error(`${part.name} does not end`);
}

async function reviveServer(server: Server): Promise<void> {
  const { part, context, running } = server;
  server.running = await part.start({ ...context, ports: running.ports });
  if (server.running.address !== running.address) throw new Error(`${part.name} came back at another address`);
}

function serverOf(servers: ReadonlyMap<PartName, Server>, name: PartName): Server {
  const server = servers.get(name);
  if (server === undefined) throw new Error(`there is no ${name}`);
  return server;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
