/** `sluice <command>`: finds the command and runs it. Each is a file in bin/commands/ with `run(args)` and `help`. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, SluiceError, TopologyError } from '#topology';

interface Command {
  readonly help: string;
  run(args: string[]): Promise<number>;
}

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  status: () => import('./commands/status.ts'),
  clean: () => import('./commands/clean.ts'),
  check: () => import('./commands/check.ts'),
  test: () => import('./commands/test.ts'),
  registry: () => import('./commands/registry.ts'),
  sources: () => import('./commands/sources.ts'),
  run: () => import('./commands/run.ts'),
  sinks: () => import('./commands/sinks.ts'),
  simulate: () => import('./commands/simulate.ts'),
  verify: () => import('./commands/verify.ts'),
};

/** What a wrong call ends with; the same for a configuration that cannot work. */
const REFUSED = 2;
const root = dirname(import.meta.dirname);

async function main(args: string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'help' || name === '--help' || name === '-h') return await help(rest[0]);
  const load = COMMANDS[name];
  if (load === undefined) {
    process.stderr.write(
      `sluice: there is no command ${JSON.stringify(name)}; there are: ${Object.keys(COMMANDS).join(', ')}\n`,
    );
    return REFUSED;
  }
  if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
  if (rest.includes('--help') || rest.includes('-h')) return await help(name);
  const command = await load();
  return await command.run(rest);
}

async function help(name: string | undefined): Promise<number> {
  const load = name === undefined ? undefined : COMMANDS[name];
  if (name !== undefined && load === undefined) return await main([name]);
  const helps = await Promise.all((load === undefined ? Object.values(COMMANDS) : [load]).map((one) => one()));
  process.stdout.write(`${helps.map((one) => one.help).join('\n\n')}\n`);
  return 0;
}

function report(error: unknown): number {
  if (error instanceof SluiceError) {
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
    process.stderr.write(`sluice: ${error.message} [${error.code}]${hint}\n`);
    return error instanceof ConfigError || error instanceof TopologyError ? REFUSED : 1;
  }
  // What parseArgs says about an unknown option is enough.
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`sluice: ${isUsage ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  return isUsage ? REFUSED : 1;
}

// A role whose supervisor was killed ends in order: nobody would end it, and the next start begins it anew.
if (process.send !== undefined) {
  process.once('disconnect', () => {
    delete process.send;
    process.kill(process.pid, 'SIGTERM');
  });
}

process.exit(await main(process.argv.slice(2)).catch(report));
