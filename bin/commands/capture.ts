/** Role `sluice capture`: takes events in PostHog's place. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { startCaptureServer } from '../../dev/posthog/capture-server.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice capture [--port N] [--dir FOLDER]
  Takes what posthog-node and posthog-js send on 127.0.0.1:N (0: any free port), in PostHog's place. GET / shows the events in a browser,
  GET /_events?event=&limit= as JSON; POST /_fail {"status":503,"forMs":10000} makes it fail. Requests are kept in FOLDER (.sluice/posthog).
  npm start starts it when there is no SLUICE_POSTHOG_KEY. Stop it with SIGTERM.`;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { port: { type: 'string', default: '0' }, dir: { type: 'string', default: '.sluice/posthog' } },
  });
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN;
  if (!(port <= 65_535)) throw new ConfigError('SLC_CONFIG_OPTION', `--port ${values.port} is no port`);
  const logger = roleLogger('capture');
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const server = await startCaptureServer({ dir: values.dir, port });
  logger.info({ url: server.url, dir: values.dir }, 'taking events');
  process.send?.({ type: 'ready', address: server.url });
  await stopped;
  await server.stop();
  return 0;
}
