/** Role `sluice simulate`: a shop's app and database at work. Sends to the collector and to MySQL. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import {
  BOUNDED_LOGINS,
  EVENTS_PER_SECOND,
  flashSaleEvents,
  MAX_LOGINS,
  Simulation,
  type SimulationOptions,
  SimulatorError,
} from '../../simulators/index.ts';
import { required } from '../environment.ts';
import { historyMs } from '../history-option.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice simulate [--seconds N [--flash-sale S]] [--rate X] [--logins X] [--history D] [--seed S] [--prepare]
  Sends events to the collector (SLUICE_COLLECTOR) and changes to MySQL (SLUICE_MYSQL): 10 events and 1 change a second on average, until SIGTERM.
  --seconds N  bounded: N * 1,000 events and N * 100 changes, event time 1 h per 2 s, up to an hour ago (SLUICE_SIM_START: first event time, ms)
  --flash-sale S  of a bounded run: S seconds of event time in its middle with 50 times the live traffic, as fast as it is taken
  --rate X     times the default traffic; with --seconds, X times the events and changes in the same time
  --logins X   times the usual share of logins, attacks among them (1; with --seconds 4), at most 10
  --history D  before it, back-dated traffic of so long (30d, 12h): 10,000 events and 1,000 changes a day, as fast as they are taken
  --seed S     the same seed sends the same (SLUICE_SIM_SEED)
  --prepare    only makes and seeds the shop, before capture begins
  Manifest and state are in SLUICE_SIM_DIR. Key for the collector: SLUICE_COLLECTOR_KEY, else the first of SLUICE_COLLECTOR_KEYS, else dev.`;

const STATS_MS = 2_000;

export async function run(args: string[]): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  try {
    const { options, prepareOnly } = optionsOf(args, stop.signal);
    return await simulate(new Simulation(options), options, prepareOnly);
  } catch (error) {
    if (!(error instanceof SimulatorError)) throw error;
    throw new ConfigError(error.code, error.message, { hint: error.hint, cause: error });
  }
}

async function simulate(simulation: Simulation, { log }: SimulationOptions, prepareOnly: boolean): Promise<number> {
  const say = (): void => void process.send?.({ type: 'stats', ...simulation.stats() });
  const timer = setInterval(say, STATS_MS);
  try {
    await simulation.prepare();
    process.send?.({ type: 'ready' });
    log.info({}, 'the shop is there');
    if (prepareOnly) {
      await simulation.close();
      return 0;
    }
    const { done, ...sent } = await simulation.run();
    say();
    log.info(sent, done ? 'all has arrived' : 'stopped');
    if (done) await tell({ type: 'done', ...sent });
    return 0;
  } finally {
    clearInterval(timer);
  }
}

/** Resolves when the message is out: the process may end after that. */
function tell(message: object): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });
}

function optionsOf(args: string[], signal: AbortSignal): { options: SimulationOptions; prepareOnly: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string' },
      rate: { type: 'string' },
      logins: { type: 'string' },
      history: { type: 'string' },
      'flash-sale': { type: 'string' },
      seed: { type: 'string', default: process.env['SLUICE_SIM_SEED'] ?? '1' },
      prepare: { type: 'boolean', default: false },
    },
  });
  const seconds = positive('--seconds', values.seconds);
  const rate = positive('--rate', values.rate);
  if (seconds !== undefined && !Number.isInteger(seconds)) throw badOption('--seconds must be a whole number');
  if (seconds !== undefined && values.history !== undefined)
    throw badOption('--history is before live traffic: not with --seconds');
  const logins = positive('--logins', values.logins) ?? (seconds === undefined ? 1 : BOUNDED_LOGINS);
  if (logins > MAX_LOGINS) throw badOption(`--logins is at most ${MAX_LOGINS}`);
  const flashSaleSeconds = positive('--flash-sale', values['flash-sale']) ?? 0;
  if (flashSaleEvents(flashSaleSeconds) > ((seconds ?? 0) * (rate ?? 1) * EVENTS_PER_SECOND) / 2) {
    throw badOption('--flash-sale has 500 events a second: at most half of those of --seconds');
  }
  const options: SimulationOptions = {
    seed: values.seed,
    seconds,
    rate: rate ?? 1,
    logins,
    history: values.history === undefined ? undefined : historyMs(values.history),
    flashSaleSeconds,
    start: positive('SLUICE_SIM_START', process.env['SLUICE_SIM_START']),
    dir: process.env['SLUICE_SIM_DIR'] ?? '.sluice/simulators',
    collectorUrl: required('SLUICE_COLLECTOR'),
    collectorKey: process.env['SLUICE_COLLECTOR_KEY'] || oneOf(process.env['SLUICE_COLLECTOR_KEYS']) || 'dev',
    mysqlUrl: required('SLUICE_MYSQL'),
    log: roleLogger('simulate'),
    signal,
  };
  return { options, prepareOnly: values.prepare };
}

/** The keys that the collector of the same environment takes: any of them does. */
function oneOf(keys: string | undefined): string | undefined {
  return keys?.split(',')[0]?.trim();
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw badOption(`${name} must be a number above 0, not ${JSON.stringify(text)}`);
}

function badOption(message: string): ConfigError {
  return new ConfigError('SLC_CONFIG_SIMULATE', message, { hint: 'see sluice simulate --help' });
}
