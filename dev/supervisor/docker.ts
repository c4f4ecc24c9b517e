/** `--docker`: Redpanda with its schema registry, MySQL and PostgreSQL by Docker Compose, on ports of 127.0.0.1. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '#topology';
import { freePort } from '../parts/ports.ts';
import type { Addresses } from './parts.ts';
import type { Containers } from './supervise.ts';

const UP_MS = 10 * 60_000;
/** Of the compose file: the servers only, Sluice itself runs beside them. */
const SERVERS = ['redpanda', 'mysql', 'postgres'] as const;
const run = promisify(execFile);

/** Two clones side by side, and a bounded run beside a long one, have containers and volumes of their own. */
export function projectOf(dir: string): string {
  return `sluice-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`;
}

/** The services of a compose file. `fresh`: with empty volumes. */
export function composeContainers(file: string, dir: string, fresh: boolean): Containers {
  const project = projectOf(dir);
  const compose = ['compose', '-p', project, '-f', file];
  return {
    project,
    file,
    async up(signal, print) {
      await requireCompose();
      if (fresh) await removeContainers(file, dir);
      const [kafka, registry, mysql, postgres] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
      const password = passwordIn(dir);
      print(
        `Docker Compose starts Redpanda, MySQL and PostgreSQL as ${project} (the first time it fetches the images)`,
      );
      const env = {
        ...composeEnvironment(password),
        SLUICE_DOCKER_KAFKA_PORT: String(kafka),
        SLUICE_DOCKER_REGISTRY_PORT: String(registry),
        SLUICE_DOCKER_MYSQL_PORT: String(mysql),
        SLUICE_DOCKER_POSTGRES_PORT: String(postgres),
      };
      await run('docker', [...compose, 'up', '-d', '--wait', ...SERVERS], { env, signal, timeout: UP_MS }).catch(
        (error: Error) => {
          throw new ConfigError('SLC_PART_START', `docker compose up failed: ${error.message}`, {
            hint: `docker ${compose.join(' ')} logs`,
            cause: error,
          });
        },
      );
      const addresses: Addresses = {
        kafka: `127.0.0.1:${kafka}`,
        registry: `http://127.0.0.1:${registry}`,
        mysql: `mysql://sluice:${password}@127.0.0.1:${mysql}/shop`,
        postgres: `postgres://sluice:${password}@127.0.0.1:${postgres}/sluice`,
      };
      return addresses;
    },
    async stop(timeoutMs) {
      const seconds = Math.max(1, Math.floor(timeoutMs / 1_000) - 1);
      const options = { timeout: timeoutMs + 5_000, env: composeEnvironment('') };
      await run('docker', [...compose, 'stop', '-t', String(seconds)], options).catch(() => undefined);
    },
  };
}

/** The servers keep the password of their first start with their data. */
export function passwordIn(dir: string): string {
  const file = join(dir, 'docker-password');
  mkdirSync(dir, { recursive: true });
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = randomBytes(16).toString('hex');
  writeFileSync(file, `${password}\n`, { mode: 0o600, flag: 'wx' });
  return password;
}

/** Compose wants every variable of the file, also of services that are not started. */
export function composeEnvironment(password: string): NodeJS.ProcessEnv {
  const unused = 'unused';
  return {
    ...process.env,
    SLUICE_DB_PASSWORD: password === '' ? unused : password,
    SLUICE_COLLECTOR_KEYS: unused,
    SUPERSET_SECRET_KEY: unused,
    SUPERSET_ADMIN_PASSWORD: unused,
    MINIO_ROOT_PASSWORD: unused,
  };
}

/** Removes the containers of a run with their volumes; does nothing where there is no Docker. */
export async function removeContainers(file: string, dir: string): Promise<void> {
  const args = ['compose', '-p', projectOf(dir), '-f', file, 'down', '--volumes'];
  await run('docker', args, { timeout: UP_MS, env: composeEnvironment('') }).catch(() => undefined);
}

async function requireCompose(): Promise<void> {
  try {
    await run('docker', ['compose', 'version'], { timeout: 15_000 });
    await run('docker', ['info'], { timeout: 15_000 });
  } catch (error) {
    throw new ConfigError('SLC_PART_MISSING', '--docker needs a running Docker with Compose v2', {
      hint: 'install Docker Engine and the plugin docker-compose-plugin, start it, and see that `docker info` answers; or run without --docker',
      cause: error,
    });
  }
}
