/** Role `sluice verify`: is every row of silver and gold what bronze demands? */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, createKafkaClient, sinkDeadLetterTopicOf } from '#topology';
import { schemas } from '#schemas';
import { createAvroSerdes, createAvroViewer } from '../../connectors/avro/index.ts';
import { readLake } from '../../connectors/parquet/index.ts';
import { ByteViewer } from '../../dev/inspect/show-bytes.ts';
import { isRightLetters, reportLetters, verifyDeadLetters } from '../../dev/verify/dead-letters.ts';
import type { PersonalTables } from '../../dev/verify/erased-rows.ts';
import { openFlink } from '../../dev/verify/flink/flink.ts';
import type { LakeView } from '../../dev/verify/lake.ts';
import { isRightPostHog, reportPostHog, verifyPostHog } from '../../dev/verify/posthog.ts';
import { CACHE_DIR } from '../../dev/supervisor/local-run.ts';
import { findInstallation } from '../../dev/inspect/installation.ts';
import { certificateOf, codeVersion, writeCertificate } from '../../dev/verify/replay/certificate.ts';
import { reportReplay } from '../../dev/verify/replay/report-replay.ts';
import { verifyReplay } from '../../dev/verify/replay/verify-replay.ts';
import { isRight, report } from '../../dev/verify/report.ts';
import { verifyTables } from '../../dev/verify/verify.ts';
import { topics } from '../../processors/index.ts';
import { personalTopics } from '../../processors/personal-data.ts';
import { lakeStageOf, lakeTopics } from '../../processors/sinks/lake.ts';
import { required } from '../environment.ts';
import { shopProject } from '../project.ts';
import { openAdmin } from '../reachable.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice verify [--app NAME] [--min-rows N] [--timeout S] [--lake FOLDER] [--manifest FILE] [--posthog URL] [--flink]
  Waits until stages and sinks have caught up, then compares every row of silver and gold in Kafka (SLUICE_KAFKA, SLUICE_REGISTRY) and
  PostgreSQL (SLUICE_POSTGRES) with what SQL over bronze says. Stop the producers before; the stages and sinks must run.
  --lake FOLDER (SLUICE_LAKE): bronze is read from the Parquet files there, and every row of every topic of the lake is compared with the topic.
  --manifest: the simulator's; then the dead letters of app events must be exactly the events that it spoiled, each with its reason.
  --flink: gold.registrations_hourly, gold.sales_perf_24h and silver.sessions are compared with what Flink's windows make of bronze and silver, too
  (pip installs PyFlink, 330 MB, into ~/.cache/sluice the first time; Java 17, python3 3.9 to 3.12).
  --posthog: a capture server's (sluice capture); then it must have exactly the events that bronze and gold demand.
  Rows of users who were erased (sluice erase) are left out and counted; SLUICE_ERASURE_KEY as there.
  Exit code 0 only if all rows are right and each table has at least N (20). S (120) seconds for all of it.
sluice verify --replay NAME [--timeout S] [--dir FOLDER]
  Compares what a replay has written with what live has, row by row; live may go on. Rows that differ are told by column. Writes FOLDER/NAME/certificate.json
  (.sluice/replays). Exit code 0 only if all that was compared is equal.`;

/** Of events in PostHog's place. */
const MIN_EVENTS = 20;
const SAY_AGAIN_MS = 5_000;
const ROOT = join(import.meta.dirname, '..', '..');

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      app: { type: 'string', default: 'shop' },
      'min-rows': { type: 'string' },
      timeout: { type: 'string', default: '120' },
      lake: { type: 'string', default: process.env['SLUICE_LAKE'] ?? '' },
      manifest: { type: 'string' },
      posthog: { type: 'string' },
      flink: { type: 'boolean', default: false },
      replay: { type: 'string' },
      dir: { type: 'string', default: join(ROOT, '.sluice', 'replays') },
    },
  });
  const text = values['min-rows'];
  const minRows = text === undefined ? undefined : wholeNumber('--min-rows', text);
  const minEvents = minRows ?? MIN_EVENTS;
  const timeoutMs = wholeNumber('--timeout', values.timeout) * 1_000;
  if (values.replay !== undefined) return await certify({ ...values, id: values.replay, timeoutMs });
  const brokers = required('SLUICE_KAFKA').split(',');
  const serdes = createAvroSerdes({ registryUrl: required('SLUICE_REGISTRY') });
  const postgres = required('SLUICE_POSTGRES');
  const logger = roleLogger('verify', { level: 'warn', output: 2 });
  const client = createKafkaClient({ brokers, clientId: `${values.app}-verify`, logger });
  try {
    const flink = values.flink ? await openFlink(sayer(), CACHE_DIR) : undefined;
    const deadline = Date.now() + timeoutMs;
    const results = await verifyTables({
      client,
      serdes,
      schemas,
      topology: shopProject(values.app),
      postgres,
      lake: lakeOf(values.lake),
      personal: personalTables(),
      flink,
      timeoutMs,
      progress: sayer(),
    });
    console.log(report(results, minRows));
    const { manifest } = values;
    const letters = manifest === undefined ? undefined : await verifyDeadLetters(client, manifest, deadline);
    if (letters !== undefined) console.log(reportLetters(letters));
    const progress = (text: string): void => void process.stderr.write(`verify: ${text}\n`);
    const { app, posthog: url } = values;
    const posthog =
      url === undefined ? undefined : await verifyPostHog({ client, serdes, schemas, app, url, deadline, progress });
    if (posthog !== undefined) console.log(reportPostHog(posthog, minEvents));
    process.send?.({ type: 'verified', results, letters, posthog });
    const isAllRight =
      (letters === undefined || isRightLetters(letters)) &&
      (posthog === undefined || isRightPostHog(posthog, minEvents));
    return isAllRight && results.every((result) => isRight(result, minRows)) ? 0 : 1;
  } finally {
    await client.close().catch(() => undefined);
  }
}

/** Says what is done or waited for; of the same wait, which counts up many times a second, a line every few seconds. */
function sayer(): (text: string) => void {
  let kind = '';
  let saidAt = -Infinity;
  return (text) => {
    const now = performance.now();
    const of = text.split(' in ', 1)[0] ?? text;
    if (of === kind && now - saidAt < SAY_AGAIN_MS) return;
    kind = of;
    saidAt = now;
    process.stderr.write(`verify: ${text}\n`);
  };
}

/** Where users are, for those who were erased. */
export function personalTables(): PersonalTables {
  const compacted = new Set<string>(
    Object.values(topics.gold)
      .filter(({ cleanup }) => cleanup === 'compact')
      .map(({ name }) => name),
  );
  const tables = personalTopics.map(
    ({ name, column }) => [name, { column, isErasedInKafka: compacted.has(name) }] as const,
  );
  return { tables: new Map(tables), secret: process.env['SLUICE_ERASURE_KEY'] ?? '' };
}

/** None without a folder. */
function lakeOf(root: string): LakeView | undefined {
  if (root === '') return undefined;
  return {
    topics: Object.values(lakeTopics).flat(),
    deadLetters: Object.keys(lakeTopics).map((tier) => sinkDeadLetterTopicOf(lakeStageOf(tier))),
    read: (topic) => readLake(root, topic),
  };
}

/** A replay against live. */
async function certify(options: {
  readonly id: string;
  readonly app: string;
  readonly dir: string;
  readonly timeoutMs: number;
}): Promise<number> {
  const { id, app, dir, timeoutMs } = options;
  const { kafka, registry } = findInstallation(process.env);
  const brokers = kafka.split(',');
  const logger = roleLogger('verify', { level: 'warn', output: 2 });
  const client = createKafkaClient({ brokers, clientId: `${app}-verify`, logger });
  try {
    await (await openAdmin(client, brokers)).close();
    const { plan, verdicts } = await verifyReplay({
      client,
      live: shopProject(app),
      id,
      viewer: new ByteViewer(registry === undefined ? undefined : createAvroViewer({ registryUrl: registry })),
      timeoutMs,
      progress: (text) => process.stderr.write(`verify: ${text}\n`),
    });
    const certificate = certificateOf(plan, verdicts, await codeVersion(ROOT), new Date());
    const file = join(dir, id, 'certificate.json');
    await writeCertificate(file, certificate);
    console.log(`${reportReplay(verdicts)}\n${file}`);
    process.send?.({ type: 'verified', certificate });
    return certificate.equal ? 0 : 1;
  } finally {
    await client.close().catch(() => undefined);
  }
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ConfigError('SLC_CONFIG_OPTION', `${option} ${text} is no whole number`);
}
