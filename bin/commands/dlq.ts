/** `sluice dlq`: dead letters: counted, shown, sent back. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import {
  countJson,
  countLines,
  letterJson,
  letterLines,
  retryJson,
  retryLines,
  showLetter,
  type ShownLetter,
} from '../../dev/inspect/letter-text.ts';
import {
  countLetters,
  isMeant,
  type LetterFilter,
  letterOf,
  letterTopics,
  retryPositions,
} from '../../dev/inspect/letters.ts';
import { unknownName } from '../../dev/inspect/nearest.ts';
import { retryLetters } from '../../dev/inspect/retry.ts';
import { scan } from '../../dev/inspect/scan.ts';
import { ByteViewer } from '../../dev/inspect/show-bytes.ts';
import { rangesOf } from '../../dev/verify/read-topics.ts';
import {
  COMMON_HELP,
  COMMON_OPTIONS,
  incomplete,
  inspecting,
  type Inspection,
  jsonText,
  wholeNumber,
} from '../inspection.ts';

export const help = `sluice dlq list|show|retry [--stage S] [--code C] [--offset [P@]O]... [--limit N] [--json]
  list: dead letters of all stages, sinks and the collector, by stage and code, with the newest of each.
  show: letters with original bytes, decoded where possible, reason, stack and headers; the newest 5 (--limit).
  retry: sends the original bytes back to their topic and partition, each letter once whatever dies meanwhile. --dry-run only says what would be.
  Not sent: letters from topics that other stages read, too (--also-others sends them), and from topics that stages write and read.
  ${COMMON_HELP}`;

const LIMITS = { least: 1, most: 1_000_000 };
const SHOWN = '5';

const OPTIONS = {
  ...COMMON_OPTIONS,
  stage: { type: 'string' },
  code: { type: 'string' },
  offset: { type: 'string', multiple: true },
  limit: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  'also-others': { type: 'boolean', default: false },
} as const;

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  const [verb, more] = positionals;
  const filter: LetterFilter = {
    stage: values.stage,
    code: values.code,
    places: values.offset?.map((text) => placeOf(text, values.stage)),
  };
  const { limit, json } = values;
  if (more === undefined && verb === 'list') return await inspecting(values, (each) => list(each, filter, json));
  if (more === undefined && verb === 'show') {
    const most = wholeNumber('limit', limit ?? SHOWN, LIMITS);
    return await inspecting(values, (each) => show(each, filter, most, json));
  }
  if (more === undefined && verb === 'retry') {
    const most = limit === undefined ? Number.MAX_SAFE_INTEGER : wholeNumber('limit', limit, LIMITS);
    const how = { limit: most, dryRun: values['dry-run'], alsoOthers: values['also-others'], json };
    return await inspecting(values, (each) => retry(each, filter, how));
  }
  throw new ConfigError('SLC_CONFIG_OPTION', 'dlq needs one of list, show, retry', {
    hint: 'sluice dlq --help tells what there is',
  });
}

function placeOf(text: string, stage: string | undefined): { partition: number | undefined; offset: bigint } {
  const [, p, offset = ''] = /^(?:(\d{1,6})@)?(\d{1,18})$/.exec(text) ?? [];
  if (offset === '')
    throw new ConfigError('SLC_CONFIG_OPTION', `--offset ${text} is neither OFFSET nor PARTITION@OFFSET`);
  if (stage === undefined) {
    throw new ConfigError('SLC_CONFIG_OPTION', '--offset needs --stage: offsets are those of one dead-letter topic');
  }
  return { partition: p === undefined ? undefined : Number(p), offset: BigInt(offset) };
}

async function list(inspection: Inspection, filter: LetterFilter, json: boolean): Promise<number> {
  const { client, admin, topology, deadline, paint } = inspection;
  await checkStage(inspection, filter);
  const { counts, complete } = await countLetters(client, admin, { app: topology.app, filter, deadline });
  if (json) inspection.print(jsonText({ complete, letters: counts.map(countJson) }));
  else for (const line of countLines(counts, paint)) inspection.print(line);
  return complete ? 0 : incomplete(inspection);
}

async function show(inspection: Inspection, filter: LetterFilter, limit: number, json: boolean): Promise<number> {
  const { client, admin, topology, deadline, paint, avro, catalogue } = inspection;
  await checkStage(inspection, filter);
  const viewer = new ByteViewer(avro);
  const ranges = await rangesOf(admin, await letterTopics(admin));
  const positions = await retryPositions(admin, topology.app, ranges);
  let shown: ShownLetter[] = [];
  const complete = await scan({
    client,
    ranges,
    deadline,
    take(at, cursor) {
      const letter = letterOf(at, cursor);
      if (!isMeant(letter, filter)) return undefined;
      const retried =
        letter.source !== undefined && positions.get(`${at.topic}/${at.partition}`)?.isDone(letter.offset) === true;
      shown.push(showLetter(letter, retried, viewer, (topic) => catalogue.of(topic)));
      if (shown.length > limit * 2) shown = newest(shown, limit);
      return undefined;
    },
  });
  for (const each of newest(shown, limit)) {
    if (json) inspection.print(JSON.stringify(letterJson(each)));
    else for (const line of letterLines(each, paint)) inspection.print(line);
  }
  if (shown.length === 0 && complete) inspection.note('sluice: no dead letter is like that');
  return complete ? 0 : incomplete(inspection);
}

function newest(shown: readonly ShownLetter[], limit: number): ShownLetter[] {
  const at = ({ letter }: ShownLetter): number => letter.timestamp;
  return shown.toSorted((a, b) => at(a) - at(b) || (a.letter.offset < b.letter.offset ? -1 : 1)).slice(-limit);
}

async function retry(
  inspection: Inspection,
  filter: LetterFilter,
  how: { readonly limit: number; readonly dryRun: boolean; readonly alsoOthers: boolean; readonly json: boolean },
): Promise<number> {
  await checkStage(inspection, filter);
  const result = await retryLetters({ ...inspection, ...how, filter });
  if (how.json) inspection.print(jsonText(retryJson(result, how.dryRun)));
  else for (const line of retryLines(result, how.dryRun, inspection.paint)) inspection.print(line);
  const stopped = !result.complete && result.sent < how.limit;
  return stopped ? incomplete(inspection) : 0;
}

/** A stage without a dead-letter topic is a slip of the pen. */
async function checkStage({ admin }: Inspection, { stage }: LetterFilter): Promise<void> {
  if (stage === undefined) return;
  const topics = await letterTopics(admin);
  const stages = topics.map((topic) => topic.slice(0, -'.dlq'.length));
  if (topics.includes(stage) || stages.includes(stage)) return;
  throw unknownName('SLC_INSPECT_STAGE', 'stage with dead letters', stage, stages);
}
