/** Real servers for tests: in a temporary folder, on free ports, ended by their pids. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { kafkaPart, mariadbPart, type Part, postgresPart, type RunningPart } from '../parts/index.ts';

export interface TestServers {
  /** SLUICE_TEST_*: what tests read. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly root: string;
  readonly folder: string;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  progress(text: string): void;
}

const DISK_BYTES = 4 * 2 ** 30;
const STOP_MS = 10_000;
const REGISTRY_START_MS = 30_000;

/** Starts all of them in parallel, the registry behind Kafka. When one fails the others are ended. */
export async function startTestServers(options: TestServerOptions): Promise<TestServers> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).toReversed()) await one();
  };
  const started = Date.now();
  try {
    const start = async (part: Part): Promise<RunningPart> => {
      const running = await startPart(part, options);
      stops.push(() => running.stop(STOP_MS));
      return running;
    };
    const kafkaAndRegistry = async (): Promise<[string, string]> => {
      const kafka = await start(kafkaPart());
      const registry = await startRegistry(kafka.address, options);
      stops.push(() => registry.stop());
      return [kafka.address, registry.url];
    };
    const all = await Promise.allSettled([kafkaAndRegistry(), start(mariadbPart()), start(postgresPart())]);
    const failed = all.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [servers, mysql, postgres] = all;
    if (servers.status === 'rejected' || mysql.status === 'rejected' || postgres.status === 'rejected')
      throw new Error('unreachable');
    options.progress(`servers are up (${((Date.now() - started) / 1_000).toFixed(1)} s)`);
    const [kafka, registry] = servers.value;
    return {
      env: {
        SLUICE_TEST_KAFKA: kafka,
        SLUICE_TEST_REGISTRY: registry,
        SLUICE_TEST_MYSQL: mysql.value.address,
        SLUICE_TEST_POSTGRES: postgres.value.address,
        SLUICE_TEST_CACHE: options.cacheDir,
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startPart(part: Part, options: TestServerOptions): Promise<RunningPart> {
  const { folder, cacheDir, signal } = options;
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new Error(missing);
  let told = '';
  return await part.start({
    dataDir: join(folder, part.name),
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
}

async function startRegistry(
  kafka: string,
  options: TestServerOptions,
): Promise<{ url: string; stop(): Promise<void> }> {
  const log = openSync(join(options.folder, 'logs', 'registry.log'), 'a');
  const child = fork(join(options.root, 'bin', 'main.ts'), ['registry'], {
    env: { ...process.env, SLUICE_KAFKA: kafka, SLUICE_REGISTRY_PORT: '0' },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', log, log, 'ipc'],
  });
  const [ready] = (await Promise.race([
    once(child, 'message', { signal: AbortSignal.timeout(REGISTRY_START_MS) }),
    once(child, 'exit').then(([code]) => [{ code }]),
  ])) as [{ type?: string; port?: number; code?: number }];
  if (ready.type !== 'ready')
    throw new Error(`the registry has ended (${ready.code}); its log is in ${options.folder}/logs`);
  return {
    url: `http://127.0.0.1:${ready.port}`,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await Promise.race([once(child, 'exit'), new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    },
  };
}
