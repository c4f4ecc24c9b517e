/** What the commands share that look into a running installation: its address, a client, its topics, and how they print. */
import { ConfigError, createKafkaClient, type KafkaAdmin, type KafkaClient, type Topology } from '#topology';
import { type AvroViewer, createAvroViewer } from '../connectors/avro/index.ts';
import { Catalogue } from '../dev/inspect/catalogue.ts';
import { findInstallation, type Installation } from '../dev/inspect/installation.ts';
import { type Paint, paintFor } from '../dev/inspect/text-table.ts';
import { lakeTopics } from '../processors/sinks/lake.ts';
import { shopProject } from './project.ts';
import { openAdmin } from './reachable.ts';
import { roleLogger } from './role-logger.ts';

/** Options that all of them have. */
export const COMMON_OPTIONS = {
  app: { type: 'string', default: 'shop' },
  json: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '30' },
} as const;

/** For the help of all of them. */
export const COMMON_HELP = `--json for programs, --timeout SECONDS (30), --app NAME (shop). Looks into what npm start runs in this clone, or
  what SLUICE_KAFKA and SLUICE_REGISTRY name. Reads what is committed, joins no group.`;

/** What a command works with. */
export interface Inspection {
  readonly installation: Installation;
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  /** undefined without a schema registry. */
  readonly avro: AvroViewer | undefined;
  readonly topology: Topology;
  readonly catalogue: Catalogue;
  readonly paint: Paint;
  /** Wall clock, ms. */
  readonly deadline: number;
  /** A line to stdout. */
  print(line: string): void;
  /** A line to stderr: what is no part of the answer. */
  note(line: string): void;
}

/** Connects, works, closes. SluiceError SLC_INSPECT_NOTHING_RUNS, SLC_BROKER_AWAY. */
export async function inspecting(
  options: { readonly app: string; readonly timeout: string },
  work: (inspection: Inspection) => Promise<number>,
): Promise<number> {
  const deadline = Date.now() + wholeNumber('timeout', options.timeout, { least: 1, most: 86_400 }) * 1_000;
  const installation = findInstallation(process.env);
  const logger = roleLogger('inspect', { level: 'error', output: 2 });
  const brokers = installation.kafka.split(',');
  const client = createKafkaClient({ brokers, clientId: 'sluice-inspect', logger });
  const topology = shopProject(options.app);
  try {
    const admin = await openAdmin(client, brokers);
    try {
      return await work({
        installation,
        client,
        admin,
        avro:
          installation.registry === undefined ? undefined : createAvroViewer({ registryUrl: installation.registry }),
        topology,
        catalogue: new Catalogue(topology, Object.values(lakeTopics).flat()),
        paint: paintFor(process.stdout, process.env),
        deadline,
        print: (line) => void process.stdout.write(`${line}\n`),
        note: (line) => void process.stderr.write(`${line}\n`),
      });
    } finally {
      await admin.close();
    }
  } finally {
    await client.close().catch(() => undefined);
  }
}

/** JSON for programs: one object, two spaces. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? Number(each) : each), 2);
}

/** ConfigError SLC_CONFIG_OPTION. */
export function wholeNumber(
  name: string,
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ConfigError('SLC_CONFIG_OPTION', `--${name} ${text} is no whole number from ${least} to ${most}`);
}

/** What is told when the time ran out: the answer is of what was read. Exit code 1. */
export function incomplete(inspection: Inspection): number {
  const code = 'SLC_INSPECT_TIME';
  inspection.note(`sluice: the time ran out before all was read; --timeout SECONDS gives more [${code}]`);
  return 1;
}
