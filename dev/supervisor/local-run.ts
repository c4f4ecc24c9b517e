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
export const CACHE_DIR = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice');

const DEFAULT_DISK = '5GB';
const MIN_DISK_BYTES = 1e9;
const UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/** The command line of a role. */
export function roleCommand(name: string, args: readonly string[] = []): [string, ...string[]] {
  const node = ['--disable-warning=ExperimentalWarning', join(ROOT, 'bin', 'main.ts')];
  return [process.execPath, ...node, name, ...args];
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

/** SLUICE_DISK: `5GB`, `800MB`; a bare number is gigabytes. */
export function diskBytes(text: string = DEFAULT_DISK): number {
  const [, figure = '', unit = 'GB'] = /^(\d+(?:\.\d+)?)\s*(MB|GB|TB)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(figure) * (UNITS[unit.toUpperCase()] ?? 1e9);
  if (figure !== '' && bytes >= MIN_DISK_BYTES) return Math.floor(bytes);
  throw new ConfigError('SLC_CONFIG_OPTION', `SLUICE_DISK=${text} is no size of 1 GB or more`, {
    hint: 'for instance SLUICE_DISK=5GB',
  });
}
