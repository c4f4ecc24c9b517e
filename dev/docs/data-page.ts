/** docs/DATA.md: every topic with its columns and, for those that stages write, its contract. */
import type { Contract, Topic } from '#topology';

/** Where a tier's topics go besides Kafka. */
export interface Readers {
  readonly warehouse: ReadonlySet<string>;
  readonly posthog: ReadonlySet<string>;
}

/** What the page is made of. */
export interface DataPage {
  readonly tiers: readonly (readonly [tier: string, topics: readonly Topic<never, never>[]])[];
  readonly contracts: readonly Contract<object>[];
  /** What a topic is made from, as Markdown. */
  readonly from: ReadonlyMap<string, readonly string[]>;
  readonly readers: Readers;
  readonly command: string;
}

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly doc?: string;
}
interface Definition {
  readonly doc?: string;
  readonly fields: readonly Field[];
}

const LOGICAL: Readonly<Record<string, string>> = {
  'timestamp-millis': 'time (ms)',
  date: 'date',
  uuid: 'uuid',
};

/** The whole page. */
export function dataPage(page: DataPage): string {
  const lines = [
    '# Data',
    '',
    `Every topic of the shop: what a row is, its columns, and what the stage that writes it checks. A row that breaks its contract goes to`,
    '`<topic>.dlq` with the reason instead (`sluice dlq list`), and nothing else waits for it. Money has two decimals, times are in ms since 1970 (UTC).',
    `Written by \`${page.command}\` from \`schemas/\` and \`processors/\`; a test compares.`,
    '',
  ];
  for (const [tier, topics] of page.tiers) {
    lines.push(`## ${tier[0]?.toUpperCase()}${tier.slice(1)}`, '');
    for (const topic of topics) lines.push(...topicLines(topic, page));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function topicLines(topic: Topic<never, never>, page: DataPage): string[] {
  const definition = topic.value.definition as Definition;
  const contract = page.contracts.find((each) => each.topic === topic.name);
  const from = page.from.get(topic.name) ?? [];
  return [
    `### ${topic.name}`,
    ...(definition.doc === undefined ? [] : [definition.doc, '']),
    ...facts(topic, contract, from, page.readers).map((fact) => `- ${fact}`),
    '',
    '| column | type | meaning |',
    '|---|---|---|',
    ...columns(definition.fields).map(({ name, type, doc }) => `| ${name} | ${typeText(type)} | ${cell(doc ?? '')} |`),
    '',
  ];
}

/** With the fields of records within, where they are defined. */
function columns(fields: readonly Field[], within = ''): Field[] {
  return fields.flatMap((field) => {
    const own = { ...field, name: within + field.name };
    const record = [field.type].flat().find((type) => typeof type === 'object' && type !== null && 'fields' in type);
    return [own, ...columns((record as Definition | undefined)?.fields ?? [], `${own.name}.`)];
  });
}

function facts(
  topic: Topic<never, never>,
  contract: Contract<object> | undefined,
  from: readonly string[],
  { warehouse, posthog }: Readers,
): string[] {
  const sinks = ['the lake'];
  if (warehouse.has(topic.name)) sinks.push(`PostgreSQL \`${topic.name}\``);
  if (posthog.has(topic.name)) sinks.push('PostHog');
  const kept = topic.cleanup === 'compact' ? 'the newest row of every key' : 'every row';
  return [
    ...(contract === undefined
      ? []
      : [
          `grain: ${contract.grain}`,
          `key: \`${contract.key}\``,
          `freshness: 99 % within ${contract.freshness} of the ${contract.since}`,
        ]),
    ...(from.length === 0 ? [] : [`from: ${from.join(', ')}`]),
    `kept in Kafka: ${kept}; goes to ${sinks.join(', ')}`,
    ...(contract === undefined ? [] : [`checked: ${contract.checks.map(({ rule }) => rule).join('; ')}`]),
  ];
}

/** An Avro type in words. */
export function typeText(type: unknown): string {
  if (typeof type === 'string') return type === 'long' || type === 'int' ? 'integer' : type;
  if (Array.isArray(type)) {
    const rest = type.filter((each) => each !== 'null').map(typeText);
    return `${rest.join(' or ')}${rest.length < type.length ? ' or null' : ''}`;
  }
  const { type: base, logicalType, scale, items, name } = type as Readonly<Record<string, unknown>>;
  if (logicalType === 'decimal') return `decimal, ${String(scale)} places`;
  if (typeof logicalType === 'string') return LOGICAL[logicalType] ?? logicalType;
  if (base === 'array') return `list of ${typeText(items)}`;
  if (base === 'record') return `record ${String(name)}`;
  if (base === 'enum') return String(name);
  return typeText(base);
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
