/** `sluice <command>`: finds the command and runs it. Each is a file in bin/commands/ with `run(args)` and `help`. */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError, SluiceError, TopologyError } from '#topology';
import { withoutPasswords } from './role-logger.ts';

interface Command {
  readonly help: string;
  run(args: string[]): Promise<number>;
}

const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map(
  Object.entries({
    start: () => import('./commands/start.ts'),
    stop: () => import('./commands/stop.ts'),
    status: () => import('./commands/status.ts'),
    clean: () => import('./commands/clean.ts'),
    check: () => import('./commands/check.ts'),
    test: () => import('./commands/test.ts'),
    chaos: () => import('./commands/chaos.ts'),
    registry: () => import('./commands/registry.ts'),
    sources: () => import('./commands/sources.ts'),
    run: () => import('./commands/run.ts'),
    sinks: () => import('./commands/sinks.ts'),
    simulate: () => import('./commands/simulate.ts'),
    capture: () => import('./commands/capture.ts'),
    dashboard: () => import('./commands/dashboard.ts'),
    replay: () => import('./commands/replay.ts'),
    verify: () => import('./commands/verify.ts'),
    bench: () => import('./commands/bench.ts'),
    topics: () => import('./commands/topics.ts'),
    inspect: () => import('./commands/inspect.ts'),
    lag: () => import('./commands/lag.ts'),
    freshness: () => import('./commands/freshness.ts'),
    describe: () => import('./commands/describe.ts'),
    dlq: () => import('./commands/dlq.ts'),
    late: () => import('./commands/late.ts'),
    erase: () => import('./commands/erase.ts'),
  }),
);

/** What a wrong call ends with; the same for a configuration that cannot work. */
const REFUSED = 2;
const EXIT_CODES = `Exit codes: 0 done; 1 failed, not complete, or not equal; 2 a wrong call, or a configuration that cannot work; 128 + n ended by signal n.
An error is a line on stderr with a code; docs/ERRORS.md has them all.`;
const ECHO_MS = 500;
const root = dirname(import.meta.dirname);

async function main(args: string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'help' || name === '--help' || name === '-h') return await help(rest[0]);
  const load = COMMANDS.get(name);
  if (load === undefined) {
    process.stderr.write(
      `sluice: there is no command ${JSON.stringify(name)}; there are: ${[...COMMANDS.keys()].join(', ')}\n`,
    );
    return REFUSED;
  }
  if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
  if (rest.includes('--help') || rest.includes('-h')) return await help(name);
  const command = await load();
  return await command.run(rest);
}

async function help(name: string | undefined): Promise<number> {
  if (name !== undefined) {
    const command = await COMMANDS.get(name)?.();
    if (command === undefined) return await main([name]);
    process.stdout.write(`${command.help}\n`);
    return 0;
  }
  // A command that cannot be loaded here must not hide the others.
  const helps = await Promise.all(
    Array.from(COMMANDS, ([each, load]) =>
      load().then(
        (command) => command.help,
        (error: unknown) =>
          `sluice ${each}\n  cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      ),
    ),
  );
  process.stdout.write(`${helps.join('\n\n')}\n\n${EXIT_CODES}\n`);
  return 0;
}

function report(error: unknown, command: string): number {
  if (error instanceof SluiceError) {
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
    const where = error.where === undefined ? '' : ` (${error.where})`;
    process.stderr.write(withoutPasswords(`sluice: ${error.message}${where} [${error.code}]${hint}\n`));
    return error instanceof ConfigError || error instanceof TopologyError ? REFUSED : 1;
  }
  // What parseArgs says about an unknown option is enough.
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const message = isUsage ? `${error.message}\n  sluice ${command} --help tells what there is` : undefined;
  const text = message ?? (error instanceof Error ? error.stack : undefined) ?? String(error);
  process.stderr.write(withoutPasswords(`sluice: ${text}\n`));
  return isUsage ? REFUSED : 1;
}

/**
 * One Ctrl-C comes up to three times: from the terminal, from npm and from bin/sluice.js. Commands that listen once would be ended by the
 * second one in the middle of their stop: what comes this soon is the same one. Later ones end as without any listener.
 */
function dropEchoes(): void {
  const first = new Map<NodeJS.Signals, number>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      const at = first.get(signal);
      if (at === undefined) first.set(signal, now);
      const isEcho = at !== undefined && now - at < ECHO_MS;
      if (!isEcho && process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}

// A role whose supervisor was killed ends in order: nobody would end it, and the next start begins it anew.
if (process.send !== undefined) {
  process.once('disconnect', () => {
    delete process.send;
    process.kill(process.pid, 'SIGTERM');
  });
}

dropEchoes();
const code = await main(process.argv.slice(2)).catch((error: unknown) => report(error, process.argv[2] ?? ''));
// What a pipe has not taken yet would be lost.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
