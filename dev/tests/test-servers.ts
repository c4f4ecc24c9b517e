/** Real servers for tests: in a temporary folder, on free ports, ended with their data. */
import { join } from 'node:path';
import { kafkaPart, mariadbPart, type Part, type PartName, postgresPart, type RunningPart } from '../parts/index.ts';
import { registryPart } from '../supervisor/registry-part.ts';

export interface TestServers {
  /** SLUICE_TEST_*: what tests read. */
  readonly env: Readonly<Record<string, string>>;
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
  const env: Record<string, string> = { SLUICE_TEST_CACHE: options.cacheDir };
  const start = async (part: Part): Promise<string> => {
    const { address } = await startPart(part, options, stops);
    env[TEST_ENV[part.name]] = address;
    return address;
  };
  const role = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(options.root, 'bin', 'main.ts'),
  ] as const;
  const outcomes = await Promise.allSettled([
    start(kafkaPart()).then((kafka) => start(registryPart([...role, 'registry'], kafka))),
    start(mariadbPart()),
    start(postgresPart()),
  ]);
  options.progress(`servers have started (${((Date.now() - begun) / 1_000).toFixed(1)} s)`);
  return {
    env,
    failures: outcomes.flatMap((one) => (one.status === 'rejected' ? [asError(one.reason)] : [])),
    stop: async () => {
      // The registry writes to Kafka: what was started last ends first.
      for (const stop of stops.splice(0).toReversed()) {
        await stop().catch((error: unknown) => options.progress(asError(error).message));
      }
    },
  };
}

async function startPart(part: Part, options: TestServerOptions, stops: (() => Promise<void>)[]): Promise<RunningPart> {
  const { folder, cacheDir, signal } = options;
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new Error(missing);
  const dataDir = join(folder, part.name);
  // Data may lie elsewhere, and is there already when a start fails.
  stops.push(async () => {
    if (options.keepData !== true) await part.removeData(dataDir);
  });
  let told = '';
  const running = await part.start({
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
  });
  stops.push(() => running.stop(STOP_MS));
  return running;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
