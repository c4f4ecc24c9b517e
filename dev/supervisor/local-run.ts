/** What all of start, stop, status and clean agree on: where a clone's runs are, and what they consist of. */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError } from '#topology';
import { kafkaPart, mariadbPart, PART_ENV, postgresPart } from '../parts/index.ts';
import type { PartSpec } from './parts.ts';
import { registryPart } from './registry-part.ts';

export const ROOT = dirname(dirname(import.meta.dirname));
export const COMPOSE_FILE = join(ROOT, 'docker-compose.yml');
/** `npm start` keeps its data in the first; `--seconds` begins anew in the second, each time. */
export const RUN_DIRS = { long: join(ROOT, '.sluice'), bounded: join(ROOT, '.sluice', 'bounded') } as const;
export const CACHE_DIR = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice');

const DEFAULT_DISK = '5GB';
const MIN_DISK_BYTES = 1e9;
const MAX_PORT = 65_535;
const UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/**
 * What Node is told wherever Sluice runs (bin/sluice.js and the Dockerfile say the same). Young objects in 16 MB: V8's own choice on a large machine took 85 to
 * 95 MB more in `npm run bench` (R3: 360 against 272) and no less CPU.
 */
export const NODE_FLAGS: readonly string[] = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16'];

/** The command line of a role. */
export function roleCommand(name: string, args: readonly string[] = []): [string, ...string[]] {
  return [process.execPath, ...NODE_FLAGS, join(ROOT, 'bin', 'main.ts'), name, ...args];
}

/** The four servers; an address in the environment wins. */
export function partSpecs(env: NodeJS.ProcessEnv): PartSpec[] {
  return [
    { name: 'kafka', given: given(env, 'kafka'), part: () => kafkaPart() },
    { name: 'mysql', given: given(env, 'mysql'), part: () => mariadbPart() },
    { name: 'postgres', given: given(env, 'postgres'), part: () => postgresPart() },
    {
      name: 'registry',
      given: given(env, 'registry'),
      after: ['kafka'],
      part: ({ kafka = '' }) => registryPart(roleCommand('registry'), kafka),
    },
  ];
}

function given(env: NodeJS.ProcessEnv, name: keyof typeof PART_ENV): string | undefined {
  const address = env[PART_ENV[name]];
  return address === undefined || address === '' ? undefined : address;
}

/** Refuses with one message when this machine lacks what a local part needs. */
export async function requirePrerequisites(specs: readonly PartSpec[]): Promise<void> {
  const lacks = await Promise.all(
    specs.filter((spec) => spec.given === undefined).map((spec) => spec.part({}).missing({ cacheDir: CACHE_DIR })),
  );
  const messages = lacks.filter((message) => message !== undefined);
  if (messages.length === 0) return;
  const names = Object.values(PART_ENV).join(', ');
  throw new ConfigError('SLC_PART_MISSING', messages.join('\n  '), {
    hint: `install it, or run the servers in Docker: npm start -- --docker, or name servers of your own in .env (${names})`,
  });
}

const ADDRESSES: Readonly<Record<string, { readonly form: RegExp; readonly example: string }>> = {
  SLUICE_KAFKA: { form: /^[^\s:/,]+:\d{1,5}(\s*,\s*[^\s:/,]+:\d{1,5})*$/, example: '127.0.0.1:9092' },
  SLUICE_REGISTRY: { form: /^https?:\/\/[^\s/]+/, example: 'http://127.0.0.1:8081' },
  SLUICE_MYSQL: { form: /^mysql:\/\/[^\s/]+/, example: 'mysql://user:password@127.0.0.1:3306/shop' },
  SLUICE_POSTGRES: { form: /^postgres(ql)?:\/\/\S+/, example: 'postgres://user:password@127.0.0.1:5432/sluice' },
  SLUICE_POSTHOG_HOST: { form: /^https?:\/\/[^\s/@]+/, example: 'https://eu.i.posthog.com' },
  SLUICE_COLLECTOR_PORT: { form: /^\d{1,5}$/, example: '8080' },
  SLUICE_DASHBOARD_PORT: { form: /^\d{1,5}$/, example: '9080' },
};

/** ConfigError SLC_CONFIG_OPTION for an address that no part could use: said before anything starts. Values may hold passwords: not repeated. */
export function checkEnvironment(env: NodeJS.ProcessEnv): void {
  for (const [name, { form, example }] of Object.entries(ADDRESSES)) {
    const value = env[name] ?? '';
    if (value === '' || (form.test(value) && (!name.endsWith('_PORT') || Number(value) <= MAX_PORT))) continue;
    throw new ConfigError('SLC_CONFIG_OPTION', `${name} is not of the form that is needed`, {
      hint: `for instance ${name}=${example}, in the environment or .env`,
    });
  }
}

/** SLUICE_DISK: `5GB`, `1500MB`; a bare number is gigabytes. */
export function diskBytes(text: string = DEFAULT_DISK): number {
  const [, figure = '', unit = 'GB'] = /^(\d+(?:\.\d+)?)\s*(MB|GB|TB)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(figure) * (UNITS[unit.toUpperCase()] ?? 1e9);
  if (figure !== '' && bytes >= MIN_DISK_BYTES) return Math.floor(bytes);
  throw new ConfigError('SLC_CONFIG_OPTION', `SLUICE_DISK=${text} is no size of 1 GB or more`, {
    hint: 'for instance SLUICE_DISK=5GB',
  });
}
