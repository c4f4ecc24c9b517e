/** A broker for the time of one benchmark. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, createKafkaClient, type KafkaClient, type Logger } from '#topology';
import { kafkaPart } from '../parts/index.ts';

/** What every benchmark needs to run. */
export interface BenchContext {
  /** Of this benchmark only: data of its broker, state, logs. */
  readonly folder: string;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** The broker, with a client of the benchmark's own. */
export interface BenchBroker {
  readonly client: KafkaClient;
  readonly address: string;
  readonly pid: number;
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const DISK_BYTES = 40 * 2 ** 30;
const STOP_MS = 10_000;

/**
 * Does `work` with a broker that has no data yet and is gone afterwards. ConfigError SLC_BENCH_SYSTEM where there is no /proc to measure by,
 * SLC_PART_MISSING without Java.
 */
export async function withBroker<T>(context: BenchContext, work: (broker: BenchBroker) => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') {
    throw new ConfigError(
      'SLC_BENCH_SYSTEM',
      `the benchmark measures by /proc, which ${process.platform} does not have`,
      {
        hint: 'run it on Linux',
      },
    );
  }
  const { cacheDir, signal, folder } = context;
  await mkdir(folder, { recursive: true });
  const part = kafkaPart({ heapMb: 1_024 });
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new ConfigError('SLC_PART_MISSING', missing);
  const dataDir = join(folder, 'kafka');
  const logFile = join(folder, 'kafka.log');
  const partContext = { dataDir, logFile, cacheDir, diskBytes: DISK_BYTES, ports: {}, signal, progress: () => {} };
  const broker = await part.start(partContext);
  const client = createKafkaClient({ brokers: [broker.address], clientId: 'sluice-bench', logger: SILENT });
  try {
    return await work({ client, address: broker.address, pid: broker.pid });
  } finally {
    await client.close();
    await broker.stop(STOP_MS);
    await part.removeData(dataDir);
  }
}
