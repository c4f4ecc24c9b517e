import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '#topology';
import type { PartContext, PartName } from './part.ts';
import { endProcess, lastLines, type StartedServer } from './process.ts';

const POLL_MS = 100;
const LAST_LINES = 20;

/** Waits until a server answers. When it ends, the start is given up or the time is over, it is ended and the error shows its last lines. */
export async function untilReady(
  name: PartName,
  server: StartedServer,
  context: PartContext,
  options: { readonly timeoutMs: number; isReady(): Promise<boolean> },
): Promise<void> {
  let ended: number | string | undefined;
  void server.exited.then((how) => (ended = how));
  const until = Date.now() + options.timeoutMs;
  for (;;) {
    if (ended === undefined && (await options.isReady())) return;
    if (ended !== undefined) throw await failure(name, context, `${name} has ended (${ended})`);
    if (context.signal.aborted || Date.now() > until) {
      await endProcess(server, 2_000);
      throw await failure(
        name,
        context,
        context.signal.aborted ? `the start of ${name} was given up` : `${name} does not answer`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** An error with the last lines of the log. ConfigError SLC_PART_START. */
export async function failure(name: PartName, context: PartContext, message: string): Promise<ConfigError> {
  const lines = await lastLines(context.logFile, LAST_LINES);
  return new ConfigError('SLC_PART_START', [`${message}. Last lines of ${context.logFile}:`, ...lines].join('\n  '), {
    where: name,
    hint: 'all of it is in the log file; npm run clean starts with empty data',
  });
}
