/** `npm run status`: what runs in this clone. */
import { parseArgs } from 'node:util';
import { ConfigError, SluiceError } from '#topology';
import { diskUsed } from '../../dev/supervisor/disk-used.ts';
import { isAlive } from '../../dev/parts/identity.ts';
import { durationText } from '../../dev/supervisor/live-view.ts';
import { RUN_DIRS } from '../../dev/supervisor/local-run.ts';
import { type ProcessEntry, readRunFile } from '../../dev/supervisor/run-file.ts';
import { lockHolder } from '../../dev/supervisor/starter-lock.ts';

const ADDRESSES: readonly string[] = ['kafka', 'registry', 'mysql', 'postgres', 'collector'];

export const help = `sluice status
  What runs: pids, ports, addresses, since when, and the disk that its data takes. Exit code 0 when a run is up, 1 when none is.
sluice status --address kafka|registry|mysql|postgres|collector
  Only this address, whole, with its password: for commands of other programs.`;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { address: { type: 'string' } } });
  if (values.address !== undefined) {
    console.log(addressOf(values.address));
    return 0;
  }
  let up = false;
  for (const [kind, dir] of Object.entries(RUN_DIRS)) up = (await showRun(kind, dir)) || up;
  return up ? 0 : 1;
}

/** The environment wins, as it does for commands. */
function addressOf(name: string): string {
  if (!ADDRESSES.includes(name)) {
    throw new ConfigError('SLC_CONFIG_OPTION', `--address ${name}: there are ${ADDRESSES.join(', ')}`);
  }
  const variable = `SLUICE_${name.toUpperCase()}`;
  const found =
    process.env[variable] ||
    Object.values(RUN_DIRS)
      .map((dir) => runningAddress(dir, name, variable))
      .find(Boolean);
  if (found !== undefined) return found;
  throw new SluiceError(
    'SLC_INSPECT_NOTHING_RUNS',
    `nothing runs in this clone that has a ${name}, and ${variable} is not set`,
    {
      hint: 'npm start, in another terminal',
    },
  );
}

function runningAddress(dir: string, name: string, variable: string): string | undefined {
  const { processes, addresses } = readRunFile(dir);
  const alive = processes.filter(isAlive);
  if (alive.length === 0) return undefined;
  // The addresses for people hide passwords; who started the server kept them.
  return alive.find((one) => one.name === name)?.address ?? addresses[variable];
}

async function showRun(kind: string, dir: string): Promise<boolean> {
  const starter = lockHolder(dir);
  const { processes, addresses, starter: entry, containers } = readRunFile(dir);
  const alive = processes.filter(isAlive);
  const used = await diskUsed(dir);
  if (starter === undefined && alive.length === 0) {
    if (kind === 'long') console.log(`nothing runs; data in ${dir}: ${(used / 1e6).toFixed(0)} MB`);
    return false;
  }
  const since = entry === undefined ? '' : `, since ${entry.since} (${age(entry.since)})`;
  const how = kind === 'long' ? 'runs' : 'bounded run';
  console.log(starter === undefined ? `left by a killed run:` : `${how}, pid ${starter.pid}${since}`);
  for (const one of alive) console.log(processLine(one));
  if (containers !== undefined) console.log(`  containers of Docker Compose: ${containers.project}`);
  for (const [name, value] of Object.entries(addresses)) console.log(`  ${name}=${value}`);
  console.log(`  data and logs in ${dir}: ${(used / 1e6).toFixed(0)} MB`);
  return starter !== undefined;
}

function processLine({ name, pid, since, ports }: ProcessEntry): string {
  const listening = Object.entries(ports ?? {}).map(([use, port]) => `${use} ${port}`);
  return `  ${name.padEnd(10)} pid ${String(pid).padEnd(8)} up ${age(since).padEnd(10)} ${listening.join(', ')}`.trimEnd();
}

function age(since: string): string {
  return durationText(Math.max(0, Date.now() - Date.parse(since)));
}
