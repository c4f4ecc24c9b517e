/** `sluice erase`: the right to erasure. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { schemas } from '#schemas';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { snakeCase } from '../../connectors/postgres/table.ts';
import { type Erased, type Holdings, UserErasure } from '../../dev/erase/erase.ts';
import { erasureJson, erasureLines, erasureListJson, erasureListLines } from '../../dev/erase/erase-text.ts';
import { readErasures } from '../../dev/erase/erasures.ts';
import type { PersonalTopic } from '../../dev/erase/types.ts';
import { topics } from '../../processors/index.ts';
import { openSessions, personalStores, personalTopics } from '../../processors/personal-data.ts';
import { warehouseTopics } from '../../processors/sinks/warehouse.ts';
import { confirmed } from '../confirmed.ts';
import { COMMON_HELP, COMMON_OPTIONS, inspecting, type Inspection, jsonText } from '../inspection.ts';

export const help = `sluice erase user <id> [--dry-run] [--yes] [--json]
  Erases what silver, gold, the warehouse and the state of the stages hold of a user of the shop (docs/ERASURE.md): tombstones in Kafka, which stages
  pass over, deletes in PostgreSQL, behind its sink. The application may run. Says what stays, and for how long. Asks first; --yes does not.
  --dry-run only counts. May be run again: what was killed goes on. Exit code 1 when PostgreSQL's sink was too far behind, or there is no such user.
  SLUICE_ERASURE_KEY: a secret for the hash under which the erasure is recorded; sluice verify and sluice replay need the same one.
sluice erase list [--json]
  The record of erasures: hash of the id, when, how much.
  ${COMMON_HELP.replace('(30)', '(120)').replace('Reads what is committed, joins no group.', 'Joins no group.')}`;

const OPTIONS = {
  ...COMMON_OPTIONS,
  timeout: { type: 'string', default: '120' },
  'dry-run': { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
} as const;

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  const [verb, id, more] = positionals;
  if (verb === 'list' && id === undefined) return await inspecting(values, (each) => list(each, values.json));
  if (verb === 'user' && id !== undefined && more === undefined) {
    const how = { userId: userIdOf(id), dryRun: values['dry-run'], yes: values.yes, json: values.json };
    return await inspecting(values, (each) => erase(each, how));
  }
  throw new ConfigError('SLC_CONFIG_OPTION', 'erase needs user <id>, or list', {
    hint: 'sluice erase --help tells what there is',
  });
}

/** Where people are, with the tables that the warehouse has of it. */
export function erasableTopics(): PersonalTopic[] {
  const tables = new Set<string>(warehouseTopics.map(({ name }) => name));
  return personalTopics.map(({ name, column, isKeyShared }) => {
    const [schema = '', table = ''] = name.split('.', 2);
    return {
      name,
      column,
      isKeyShared,
      table: tables.has(name) ? { schema, name: table, column: snakeCase(column) } : undefined,
    };
  });
}

function userIdOf(text: string): string {
  if (/^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text))) return text;
  throw new ConfigError('SLC_CONFIG_OPTION', `${text} is no id of a user: a whole number from 1`);
}

interface How {
  readonly userId: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

async function erase(inspection: Inspection, how: How): Promise<number> {
  const { userId, dryRun } = how;
  const erasure = await UserErasure.open({
    ...inspection,
    serdes: createAvroSerdes({ registryUrl: registryOf(inspection) }),
    schemas,
    userId,
    topics: erasableTopics(),
    stores: personalStores,
    openSessions,
    users: topics.silver.users.name,
    postgres: inspection.installation.postgres,
    secret: process.env['SLUICE_ERASURE_KEY'] ?? '',
    progress: sayer(inspection),
  });
  const holdings = await erasure.holdings();
  if (dryRun) return tell(inspection, how, holdings, undefined);
  if (holdings.erasure?.isDone === true && nothingToErase(holdings)) {
    inspection.note(`user ${userId} was erased before: nothing has come since`);
    return tell(inspection, how, holdings, undefined);
  }
  if (!how.yes) {
    if (!how.json) for (const line of erasureLines(holdings, undefined, inspection.paint)) inspection.print(line);
    if (!(await confirmed(`Erase user ${userId} for good? [y/N] `))) {
      inspection.note(`nothing erased${process.stdin.isTTY ? '' : ': nobody to ask here; --yes erases without'}`);
      return 1;
    }
  }
  return tell(inspection, how, holdings, await erasure.erase(holdings));
}

function tell(inspection: Inspection, how: How, holdings: Holdings, erased: Erased | undefined): number {
  if (how.json) inspection.print(jsonText(erasureJson(how.userId, holdings, erased)));
  else for (const line of erasureLines(holdings, erased, inspection.paint)) inspection.print(line);
  if (erased?.isComplete !== false) return 0;
  const code = 'SLC_ERASE_SINK_BEHIND';
  inspection.note(
    `sluice: PostgreSQL's sink has not taken all that is in Kafka and may write rows again; when it has (sluice lag), run this again [${code}]`,
  );
  return 1;
}

function nothingToErase({ topics: keys, stores, tables = {} }: Holdings): boolean {
  return [keys, stores, tables].every((counts) => Object.values(counts).every((count) => count === 0));
}

async function list(inspection: Inspection, json: boolean): Promise<number> {
  const { client, admin, topology, deadline, paint } = inspection;
  const erasures = [...(await readErasures(client, admin, topology.app, deadline)).values()];
  erasures.sort((a, b) => a.begunAt - b.begunAt);
  if (json) inspection.print(jsonText(erasureListJson(erasures)));
  else for (const line of erasureListLines(erasures, paint)) inspection.print(line);
  return 0;
}

function registryOf({ installation }: Inspection): string {
  if (installation.registry !== undefined) return installation.registry;
  throw new ConfigError('SLC_CONFIG_MISSING', 'SLUICE_REGISTRY is not set: rows cannot be read without their schemas', {
    hint: 'SLUICE_REGISTRY=http://host:port',
  });
}

/** Each step once. */
function sayer(inspection: Inspection): (text: string) => void {
  let said = '';
  return (text) => {
    if (text !== said) inspection.note(`erase: ${text}`);
    said = text;
  };
}
