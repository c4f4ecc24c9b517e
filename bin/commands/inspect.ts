/** `sluice inspect`: records of a topic, decoded. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { parseBound } from '../../dev/inspect/bounds.ts';
import { type InspectedRecord, inspectTopic, type InspectQuery, tailTopic } from '../../dev/inspect/inspect-topic.ts';
import { unknownName } from '../../dev/inspect/nearest.ts';
import { recordJson, recordLines } from '../../dev/inspect/record-text.ts';
import { ByteViewer } from '../../dev/inspect/show-bytes.ts';
import { COMMON_HELP, COMMON_OPTIONS, incomplete, inspecting, type Inspection, wholeNumber } from '../inspection.ts';

export const help = `sluice inspect TOPIC [--key K] [--from earliest|OFFSET|TIME|AGO] [--to OFFSET|TIME|AGO] [--partition P] [--limit N] [--tail] [--json]
  Records, decoded: the newest 20, or with --from the first from there on; --limit says how many. Times are event times: 2026-01-31T10:00 (UTC) or
  10m (ago). --tail follows what is committed until Ctrl-C or --limit. What cannot be decoded is shown as hex, with the reason. --json: one object
  per line.
  ${COMMON_HELP}`;

const LIMITS = { least: 1, most: 100_000 };
const LAST_PARTITION = 100_000;
const DEFAULT_LIMIT = 20;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...COMMON_OPTIONS,
      key: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      partition: { type: 'string' },
      limit: { type: 'string' },
      tail: { type: 'boolean', default: false },
    },
  });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) {
    throw new ConfigError('SLC_CONFIG_OPTION', 'one topic is needed', { hint: 'sluice topics lists them' });
  }
  const { from, to, partition, limit, key, tail } = values;
  const now = Date.now();
  const query: InspectQuery = {
    from: from === undefined ? undefined : parseBound('from', from, now),
    to: to === undefined ? undefined : parseBound('to', to, now),
    partition:
      partition === undefined ? undefined : wholeNumber('partition', partition, { least: 0, most: LAST_PARTITION }),
    key,
    limit: limit === undefined ? (tail ? NO_LIMIT : DEFAULT_LIMIT) : wholeNumber('limit', limit, LIMITS),
  };
  return await inspecting(values, (inspection) => show(inspection, name, query, { tail, json: values.json }));
}

async function show(
  inspection: Inspection,
  name: string,
  query: InspectQuery,
  { tail, json }: { readonly tail: boolean; readonly json: boolean },
): Promise<number> {
  const { admin, client, catalogue, topology, deadline, paint, avro } = inspection;
  const names = await admin.listTopics();
  if (!names.includes(name)) throw unknownName('SLC_INSPECT_TOPIC', 'topic', name, names.toSorted());
  const count = (await admin.partitionCounts([name])).get(name) ?? 0;
  if (query.partition !== undefined && query.partition >= count) {
    throw new ConfigError(
      'SLC_CONFIG_OPTION',
      `--partition ${query.partition}: ${name} has partitions 0 to ${count - 1}`,
    );
  }
  const viewer = new ByteViewer(avro);
  const tools = { client, admin, viewer, entry: catalogue.of(name), app: topology.app, deadline };
  const print = (record: InspectedRecord): void => {
    if (json) inspection.print(JSON.stringify(recordJson(record)));
    else for (const line of recordLines(record, paint)) inspection.print(line);
  };
  if (tail) {
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    await tailTopic(tools, query, stop.signal, print);
    return 0;
  }
  const { records, complete } = await inspectTopic(tools, query);
  for (const record of records) print(record);
  const isFiltered = [query.from, query.to, query.partition, query.key].some((each) => each !== undefined);
  if (records.length === 0 && complete)
    inspection.note(isFiltered ? 'sluice: no record is like that' : `sluice: ${name} holds no record`);
  return complete ? 0 : incomplete(inspection);
}
