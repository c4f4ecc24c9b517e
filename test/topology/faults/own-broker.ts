import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended, kafkaPart, type PartContext, type RunningPart, signalGroup } from '../../../dev/parts/index.ts';

const END_MS = 20_000;

/** A broker that a test may end, start again and damage. */
export class OwnBroker {
  readonly #folder: string;
  readonly #context: PartContext;
  #running: RunningPart;

  private constructor(folder: string, context: PartContext, running: RunningPart) {
    this.#folder = folder;
    this.#context = context;
    this.#running = running;
  }

  static async start(): Promise<OwnBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-broker-'));
    const context: PartContext = {
      dataDir: join(folder, 'kafka'),
      logFile: join(folder, 'kafka.log'),
      cacheDir: process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice'),
      diskBytes: 2 ** 30,
      ports: {},
      progress: () => undefined,
      signal: new AbortController().signal,
    };
    return new OwnBroker(folder, context, await kafkaPart({ heapMb: 384, isShortLived: true }).start(context));
  }

  get address(): string {
    return this.#running.address;
  }

  /** The first segment of a partition's log. */
  segmentOf(topic: string, partition: number): string {
    return join(this.#context.dataDir, 'data', `${topic}-${partition}`, '00000000000000000000.log');
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    await this.#running.stop(END_MS);
  }

  async kill(): Promise<void> {
    signalGroup(this.#running, 'SIGKILL');
    if (!(await ended(this.#running, END_MS))) throw new Error('the broker does not end');
  }

  /** The same data at the same address. */
  async revive(): Promise<void> {
    this.#running = await kafkaPart({ heapMb: 384, isShortLived: true }).start({
      ...this.#context,
      ports: this.#running.ports,
    });
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
