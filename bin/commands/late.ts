/** `sluice late`: records that came too late for their windows. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { lateJson, lateLines, lateTopics, readLate } from '../../dev/inspect/late.ts';
import { unknownName } from '../../dev/inspect/nearest.ts';
import { COMMON_HELP, COMMON_OPTIONS, incomplete, inspecting, jsonText, wholeNumber } from '../inspection.ts';

export const help = `sluice late list [--stage S] [--limit N] [--json]
  Late records by stage and reason, with how late they were; with --stage the newest ones, too (20).
  ${COMMON_HELP}`;

const LIMITS = { least: 1, most: 100_000 };

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...COMMON_OPTIONS, stage: { type: 'string' }, limit: { type: 'string', default: '20' } },
  });
  if (positionals.join() !== 'list') {
    throw new ConfigError('SLC_CONFIG_OPTION', 'late needs the word list', { hint: 'sluice late list' });
  }
  const limit = wholeNumber('limit', values.limit, LIMITS);
  return await inspecting(values, async (inspection) => {
    const { client, admin, deadline, paint } = inspection;
    const { stage } = values;
    const stages = (await lateTopics(admin)).map((topic) => topic.slice(0, -'.late'.length));
    if (stage !== undefined && !stages.includes(stage)) {
      throw unknownName('SLC_INSPECT_STAGE', 'stage with a late topic', stage, stages);
    }
    const { counts, newest, complete } = await readLate(client, admin, { stage, limit, deadline });
    const isOne = stage !== undefined;
    if (values.json) inspection.print(jsonText({ complete, ...lateJson(counts, newest) }));
    else for (const line of lateLines(counts, newest, isOne, paint)) inspection.print(line);
    return complete ? 0 : incomplete(inspection);
  });
}
