/** Where the installation is that a command looks into: the environment's, else the one that `npm start` runs in this clone. */
import { SluiceError } from '#topology';
import { isAlive } from '../parts/identity.ts';
import { RUN_DIRS } from '../supervisor/local-run.ts';
import { readRunFile } from '../supervisor/run-file.ts';

/** Addresses of a running installation; undefined = it has none. */
export interface Installation {
  readonly kafka: string;
  readonly registry: string | undefined;
  readonly postgres: string | undefined;
  readonly lake: string | undefined;
  /** For people: where the addresses are from. */
  readonly from: string;
}

/** SLUICE_KAFKA in the environment wins; then `npm start`, then `npm start -- --seconds`. SluiceError SLC_INSPECT_NOTHING_RUNS. */
export function findInstallation(
  env: NodeJS.ProcessEnv,
  dirs: Readonly<Record<string, string>> = RUN_DIRS,
): Installation {
  if ((env['SLUICE_KAFKA'] ?? '') !== '') return installationOf(env, 'the environment');
  for (const dir of Object.values(dirs)) {
    const { addresses, processes } = readRunFile(dir);
    if ((addresses['SLUICE_KAFKA'] ?? '') === '' || !processes.some((one) => isAlive(one))) continue;
    // Addresses are told without passwords; who started the server kept it whole.
    const postgres = processes.find(({ name, address }) => name === 'postgres' && address !== undefined)?.address;
    const whole = postgres === undefined ? addresses : { ...addresses, SLUICE_POSTGRES: postgres };
    return installationOf({ ...whole, ...set(env) }, dir);
  }
  throw new SluiceError('SLC_INSPECT_NOTHING_RUNS', 'nothing runs in this clone, and SLUICE_KAFKA is not set', {
    hint: 'npm start, in another terminal; or for an installation elsewhere: SLUICE_KAFKA=host:port SLUICE_REGISTRY=http://host:port',
  });
}

/** An empty variable is one that is not set. */
function set(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}

function installationOf(env: NodeJS.ProcessEnv, from: string): Installation {
  const value = (name: string): string | undefined => env[name] || undefined;
  return {
    kafka: env['SLUICE_KAFKA'] ?? '',
    registry: value('SLUICE_REGISTRY'),
    postgres: value('SLUICE_POSTGRES'),
    lake: value('SLUICE_LAKE'),
    from,
  };
}
