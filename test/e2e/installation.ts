/** Servers of its own and the roles on them, for one test of everything at once: topics have their real names there. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createKafkaClient, type KafkaAdmin, type KafkaClient } from '#topology';
import { freePort } from '../../dev/parts/ports.ts';
import { prepareShop } from '../../dev/supervisor/databases.ts';
import { startTestServers, type TestServers } from '../../dev/tests/test-servers.ts';
import { RoleProcess } from './roles.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export class Installation {
  readonly servers: TestServers;
  /** Of the roles. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly #folder: string;
  readonly #abort: AbortController;
  readonly #roles: RoleProcess[] = [];

  private constructor(
    servers: TestServers,
    env: Readonly<Record<string, string>>,
    client: KafkaClient,
    admin: KafkaAdmin,
    folder: string,
    abort: AbortController,
  ) {
    this.servers = servers;
    this.env = env;
    this.client = client;
    this.admin = admin;
    this.#folder = folder;
    this.#abort = abort;
  }

  /** `capture`: with a capture server in PostHog's place, which the caller starts by `startCapture`. */
  static async start(options: { readonly capture?: boolean } = {}): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    await mkdir(join(folder, 'logs'), { recursive: true });
    const abort = new AbortController();
    const servers = await startTestServers({
      root: ROOT,
      folder,
      cacheDir: process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice'),
      signal: abort.signal,
      progress: () => undefined,
    });
    const address = (name: string): string => servers.env[`SLUICE_TEST_${name}`] ?? '';
    const port = String(await freePort());
    const capturePort = await freePort();
    const env = {
      SLUICE_KAFKA: address('KAFKA'),
      SLUICE_REGISTRY: address('REGISTRY'),
      SLUICE_MYSQL: new URL('/shop', address('MYSQL')).href,
      SLUICE_POSTGRES: address('POSTGRES'),
      // Of sinks and of verify: the oracles read bronze from it.
      SLUICE_LAKE: join(folder, 'lake'),
      SLUICE_LAKE_LINGER: '2s',
      SLUICE_COLLECTOR_PORT: port,
      SLUICE_COLLECTOR: `http://127.0.0.1:${port}`,
      SLUICE_CLOCK: 'sender',
      SLUICE_SIM_DIR: join(folder, 'simulator'),
      ...(options.capture === true && {
        SLUICE_POSTHOG_HOST: `http://127.0.0.1:${capturePort}`,
        SLUICE_POSTHOG_KEY: 'phc_captured',
      }),
    };
    const logger = pino({ level: 'silent' });
    const client = createKafkaClient({ brokers: address('KAFKA').split(','), clientId: 'e2e', logger });
    await prepareShop(env.SLUICE_MYSQL, join(ROOT, 'schemas', 'sql', 'shop.sql'), abort.signal);
    return new Installation(servers, env, client, await client.admin(), folder, abort);
  }

  /** `env`: in place of the installation's. */
  role(name: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = this.env): RoleProcess {
    const role = new RoleProcess(name, args, { env, logs: join(this.#folder, 'logs') });
    this.#roles.push(role);
    return role;
  }

  /** Where events for PostHog go. */
  get postHog(): string {
    return this.env['SLUICE_POSTHOG_HOST'] ?? '';
  }

  startCapture(): RoleProcess {
    return this.role('capture', ['--port', new URL(this.postHog).port, '--dir', join(this.#folder, 'posthog')]);
  }

  /** The folder of the lake. */
  get lake(): string {
    return join(this.#folder, 'lake');
  }

  /** What the simulator has sent. */
  get manifest(): string {
    return join(this.#folder, 'simulator', 'manifest.ndjson');
  }

  /** What a role has logged. */
  async logOf(name: string): Promise<string> {
    return await readFile(join(this.#folder, 'logs', `${name}.log`), 'utf8').catch(() => '');
  }

  /** SLUICE_TEST_KEEP leaves data and logs. */
  async close(): Promise<void> {
    this.#abort.abort();
    for (const role of this.#roles.toReversed()) await role.stop();
    await this.client.close();
    await this.servers.stop();
    if (process.env['SLUICE_TEST_KEEP'] === undefined) await rm(this.#folder, { recursive: true, force: true });
    else process.stderr.write(`e2e: data and logs are in ${this.#folder}\n`);
  }
}
