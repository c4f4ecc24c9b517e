/** `npm start`: the local parts, the roles, and a live view until Ctrl-C; `--seconds N`: a run on data of its own, verified at its end. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { prepareShop } from '../../dev/supervisor/databases.ts';
import { composeContainers } from '../../dev/supervisor/docker.ts';
import { firstGoldRow } from '../../dev/supervisor/first-row.ts';
import { freePort } from '../../dev/parts/ports.ts';
import { endProcess, identityOf } from '../../dev/parts/identity.ts';
import {
  CACHE_DIR,
  COMPOSE_FILE,
  diskBytes,
  partSpecs,
  checkEnvironment,
  requirePrerequisites,
  roleCommand,
  ROOT,
  RUN_DIRS,
} from '../../dev/supervisor/local-run.ts';
import { lastLines, logSize } from '../../dev/supervisor/log-rotation.ts';
import type { Addresses } from '../../dev/supervisor/parts.ts';
import type { RoleSpec } from '../../dev/supervisor/roles.ts';
import { supervise, type Work } from '../../dev/supervisor/supervise.ts';
import { historyMs } from '../history-option.ts';
import { shopParts, shopProject } from '../project.ts';
import { GARBAGE_OPTIONS } from '../garbage.ts';
import { workerCount } from '../workers/worker-count.ts';

export const help = `sluice start [--seconds N [--flash-sale S] [--flink]] [--rate X] [--logins X] [--history D] [--seed N] [--workers N] [--no-simulator] [--docker]
  Starts the local parts that have no address in the environment or .env, then sources, stages, sinks, the simulator and the dashboard. Ctrl-C ends all.
  --seconds N: on data of its own, N seconds of dense traffic; then verifies every table; exit code 0 only if all is right.
  --flash-sale S: S seconds in its middle with 50 times the live traffic.
  --flink: verifies with Flink too (sluice verify --help).
  --history D: before live traffic, back-dated traffic of so long, on fresh data: 30d are 300,000 events and 30,000 changes.
  --rate X: X times the traffic. --logins X: X times the usual share of logins, attacks among them. --seed N: the same traffic again. --no-simulator: none. --docker: the servers by Docker Compose.
  --workers N: the stages in N processes. SLUICE_APPS: some of the stages as applications of their own, each in processes of its own.`;

const OPTIONS = {
  seconds: { type: 'string' },
  rate: { type: 'string' },
  logins: { type: 'string' },
  history: { type: 'string' },
  'flash-sale': { type: 'string' },
  seed: { type: 'string' },
  workers: { type: 'string' },
  'no-simulator': { type: 'boolean', default: false },
  docker: { type: 'boolean', default: false },
  flink: { type: 'boolean', default: false },
} as const;
const VERIFY_END_MS = 2_000;
const DASHBOARD_PORT = 9080;

type Environment = Readonly<Record<string, string>>;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const bounded = values.seconds !== undefined;
  const history = values.history === undefined ? [] : historyArgs(values.history, values);
  const numbers = (['seconds', 'flash-sale', 'rate', 'logins', 'seed'] as const).flatMap((name) =>
    numberArgs(name, values[name]),
  );
  const simulatorArgs = [...numbers, ...history];
  if (bounded && values['no-simulator'])
    throw new ConfigError('SLC_CONFIG_OPTION', '--seconds is a run of the simulator: not with --no-simulator');
  if (!bounded && values['flash-sale'] !== undefined)
    throw new ConfigError('SLC_CONFIG_OPTION', '--flash-sale is the middle of a bounded run: only with --seconds');
  if (!bounded && values.flink)
    throw new ConfigError('SLC_CONFIG_OPTION', '--flink verifies the end of a bounded run: only with --seconds');
  const runArgs = values.workers === undefined ? [] : ['--workers', String(workerCount(values.workers))];
  checkEnvironment(process.env);
  // Refused before anything starts.
  shopProject('shop');
  const dir = bounded ? RUN_DIRS.bounded : RUN_DIRS.long;
  const parts = partSpecs(process.env);
  const containers = values.docker ? composeContainers(COMPOSE_FILE, dir, bounded) : undefined;
  if (containers === undefined) await requirePrerequisites(parts);
  // A terminal that is gone must not end the run before it has stopped its servers.
  process.stdout.on('error', () => undefined);
  return await supervise({
    dir,
    fresh: bounded,
    cacheDir: CACHE_DIR,
    diskBytes: diskBytes(process.env['SLUICE_DISK']),
    parts,
    containers,
    output: {
      isTTY: process.stdout.isTTY,
      columns: process.stdout.columns,
      write: (text) => void process.stdout.write(text),
    },
    environment: async (addresses, ports) => ({
      ...(await environment(dir, bounded, addresses, ports['collector']?.['http'])),
      // The simulator says what time it is: that of its history, then the wall clock's.
      ...(values.history !== undefined && { SLUICE_CLOCK: 'sender' }),
      ...(await captureEnvironment(bounded, ports['capture']?.['http'])),
      ...(bounded ? {} : await dashboardEnvironment(ports['dashboard']?.['http'])),
    }),
    async prepare(address, signal, print) {
      const mysql = shopUrl(await address('mysql'));
      await prepareShop(mysql, join(ROOT, 'schemas', 'sql', 'shop.sql'), signal, print);
      if (!values['no-simulator']) await seedShop(dir, mysql, simulatorArgs, signal);
    },
    roles: (env) => roles(dir, { ...inherited(), ...env }, runArgs, values['no-simulator'] ? undefined : simulatorArgs),
    beside: tellFirstRow,
    work: bounded ? (work) => boundedWork(work, values.flink) : undefined,
  });
}

function historyArgs(text: string, other: { readonly seconds?: string; readonly 'no-simulator': boolean }): string[] {
  historyMs(text);
  const beside = other.seconds !== undefined ? '--seconds' : other['no-simulator'] ? '--no-simulator' : undefined;
  if (beside === undefined) return ['--history', text];
  throw new ConfigError(
    'SLC_CONFIG_OPTION',
    `--history comes before live traffic of the simulator: not with ${beside}`,
  );
}

const NUMBERS = {
  seconds: [/^\d{1,10}$/, 'it is a whole number above 0'],
  rate: [/^\d{1,6}(\.\d{1,6})?$/, 'it is a number above 0, for instance 10 or 0.5'],
  logins: [/^(\d(\.\d{1,6})?|10)$/, 'it is a number above 0 and at most 10'],
  seed: [/^\d{1,10}$/, 'it is a whole number'],
  'flash-sale': [/^\d{1,10}$/, 'it is a whole number above 0'],
} as const;

function numberArgs(name: keyof typeof NUMBERS, value: string | undefined): string[] {
  if (value === undefined) return [];
  const [pattern, meaning] = NUMBERS[name];
  if (!pattern.test(value) || (name !== 'seed' && Number(value) === 0))
    throw new ConfigError('SLC_CONFIG_OPTION', `--${name} ${value}: ${meaning}`);
  return [`--${name}`, value];
}

async function environment(
  dir: string,
  bounded: boolean,
  { kafka = '', registry = '', mysql = '', postgres = '' }: Addresses,
  lastPort: number | undefined,
): Promise<Environment> {
  // 0 is any free port, as for the role; the simulator has to know which.
  const wished = Number(process.env['SLUICE_COLLECTOR_PORT'] ?? '');
  const port = wished === 0 ? await freePort(lastPort) : wished;
  return {
    SLUICE_KAFKA: kafka,
    SLUICE_REGISTRY: registry,
    SLUICE_MYSQL: shopUrl(mysql),
    SLUICE_POSTGRES: postgres,
    // A bounded run begins with empty topics: a lake that has positions in others would be ahead of them.
    SLUICE_LAKE: (bounded ? '' : process.env['SLUICE_LAKE']) || join(dir, 'lake'),
    SLUICE_COLLECTOR_PORT: String(port),
    SLUICE_COLLECTOR: `http://127.0.0.1:${port}`,
    // Of our own broker only: that of somebody else has its own limits.
    SLUICE_DISK: (process.env['SLUICE_KAFKA'] ?? '') === '' ? String(diskBytes(process.env['SLUICE_DISK'])) : '',
    ...(process.env['SLUICE_STATE'] === 'persistent' && {
      SLUICE_STATE_DIR: (bounded ? '' : process.env['SLUICE_STATE_DIR']) || join(dir, 'state'),
    }),
    SLUICE_SIM_DIR: simulatorDir(dir),
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(CACHE_DIR, 'compiled'),
    // In dense traffic an hour of event time is over in seconds anyway, and nobody should wait for the last files.
    ...(bounded && { SLUICE_CLOCK: 'sender', SLUICE_LAKE_LINGER: process.env['SLUICE_LAKE_LINGER'] ?? '2s' }),
  };
}

/**
 * The simulator seeds the shop and sets its clock: capture must not see the shop before, with the wall clock. It runs while Kafka starts, and ends by
 * itself when this process does.
 */
async function seedShop(dir: string, mysql: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const [program, ...rest] = roleCommand('simulate', [...args, '--prepare']);
  const logFile = join(dir, 'logs', 'simulate.log');
  const logStart = logSize(logFile);
  const log = openSync(logFile, 'a');
  const env = {
    ...process.env,
    SLUICE_MYSQL: mysql,
    SLUICE_SIM_DIR: simulatorDir(dir),
    // Nothing is sent yet.
    SLUICE_COLLECTOR: 'http://127.0.0.1:9',
  };
  const child = spawn(program, rest, { detached: true, stdio: ['ignore', log, log, 'ipc'], env, signal });
  closeSync(log);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code === 0) return;
  const lines = lastLines(logFile, 20, logStart).map((line) => `  | ${line}`);
  throw new ConfigError('SLC_PART_START', ['the shop cannot be seeded', ...lines].join('\n'), {
    hint: `log: ${logFile}`,
  });
}

function simulatorDir(dir: string): string {
  return join(dir, 'simulator');
}

/** The local server's address names no database; one that is given may. */
function shopUrl(address: string): string {
  const url = new URL(address);
  if (url.pathname.length < 2) url.pathname = '/shop';
  return url.href;
}

function inherited(): Environment {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** Where events go without a key, and always when a run is to be verified. The key that goes with it is no secret, yet not for the table of addresses. */
async function captureEnvironment(bounded: boolean, lastPort: number | undefined): Promise<Environment> {
  if (
    !bounded &&
    ((process.env['SLUICE_POSTHOG_KEY'] ?? '') !== '' || (process.env['SLUICE_POSTHOG_HOST'] ?? '') !== '')
  )
    return {};
  const port = await freePort(lastPort);
  return { SLUICE_CAPTURE_PORT: String(port), SLUICE_POSTHOG_HOST: `http://127.0.0.1:${port}` };
}

/** A bounded run has none: nobody looks, and it takes time of the processor. A port that is taken is no reason not to start. */
async function dashboardEnvironment(lastPort: number | undefined): Promise<Environment> {
  const text = process.env['SLUICE_DASHBOARD_PORT'] ?? '';
  const port = await freePort(text === '' || Number(text) === 0 ? (lastPort ?? DASHBOARD_PORT) : Number(text));
  return { SLUICE_DASHBOARD_PORT: String(port), SLUICE_DASHBOARD: `http://127.0.0.1:${port}` };
}

function roles(
  dir: string,
  inheritedAndOwn: Environment,
  runArgs: readonly string[],
  simulatorArgs: readonly string[] | undefined,
): RoleSpec[] {
  const capturePort = inheritedAndOwn['SLUICE_CAPTURE_PORT'];
  const env: Environment = {
    ...inheritedAndOwn,
    ...(capturePort !== undefined && { SLUICE_POSTHOG_KEY: 'phc_captured' }),
  };
  // One port each: a given one is that of the first.
  const first = Number(env['SLUICE_METRICS_PORT'] || 0);
  let nth = 0;
  const role = (name: string, tier: RoleSpec['tier'], args: readonly string[] = [], as = name): RoleSpec => ({
    name: as,
    tier,
    command: roleCommand(name, args),
    env: { ...env, SLUICE_METRICS_PORT: String(first === 0 ? 0 : first + nth++) },
  });
  const captureArgs = ['--port', capturePort ?? '', '--dir', join(dir, 'posthog')];
  return [
    ...(capturePort === undefined ? [] : [role('capture', 'target', captureArgs)]),
    role('sources', 'source'),
    withBoundGarbage(role('run', 'topology', runArgs)),
    role('sinks', 'sink'),
    ...(simulatorArgs === undefined ? [] : [role('simulate', 'traffic', simulatorArgs)]),
    // Its port of metrics is the last one: those of the others stay what they were.
    ...(env['SLUICE_DASHBOARD'] === undefined ? [] : [role('dashboard', 'target')]),
    // What SLUICE_APPS takes out of `run`, each beside it.
    ...Object.keys(shopParts(env['SLUICE_APPS'])).map((part) =>
      withBoundGarbage(role('run', 'topology', [...runArgs, '--only', part], `run.${part}`)),
    ),
  ];
}

/** Where state has a budget, memory is to keep to it. */
function withBoundGarbage(role: RoleSpec): RoleSpec {
  if (role.env['SLUICE_STATE_DIR'] === undefined) return role;
  const options = [process.env['NODE_OPTIONS'] ?? '', ...GARBAGE_OPTIONS].join(' ').trim();
  return { ...role, env: { ...role.env, NODE_OPTIONS: options } };
}

/** From the command (its process, the installation before it not counted) to the first new row. */
async function tellFirstRow({ addresses, signal, print }: Work): Promise<void> {
  if (addresses.postgres === undefined) return;
  const at = await firstGoldRow(addresses.postgres, signal);
  if (at === undefined) return;
  print(`first new gold row in PostgreSQL ${((at - performance.timeOrigin) / 1_000).toFixed(1)} s after the command`);
}

/** The simulator sends all and ends; then the rows are verified, while sources, stages and sinks still run. */
async function boundedWork(work: Work, flink: boolean): Promise<number> {
  const { events, changes, manifest } = await work.role('simulate').done;
  work.quiet();
  work.print(
    `simulated ${events} events and ${changes} changes${manifest === undefined ? '' : `, manifest: ${manifest}`}`,
  );
  if (work.signal.aborted) return 1;
  return await verify(work, manifest, flink);
}

function verify({ env, signal, started }: Work, manifest: string | undefined, flink: boolean): Promise<number> {
  const [program, ...args] = roleCommand('verify', [
    ...(env['SLUICE_CAPTURE_PORT'] === undefined ? [] : ['--posthog', env['SLUICE_POSTHOG_HOST'] ?? '']),
    ...(manifest === undefined ? [] : ['--manifest', manifest]),
    // Who asks for a second engine has the time, and a machine that may be slow with both.
    ...(flink ? ['--flink', '--timeout', '600'] : []),
  ]);
  const child = spawn(program, args, { stdio: 'inherit', detached: true, env: { ...process.env, ...env } });
  const id = identityOf(child.pid ?? 0);
  started({ ...id, name: 'verify', kind: 'role', command: 'verify', since: new Date().toISOString() });
  signal.addEventListener('abort', () => void endProcess(id, 'SIGTERM', VERIFY_END_MS), { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
