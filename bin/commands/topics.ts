/** `sluice topics`: what topics there are. */
import { parseArgs } from 'node:util';
import { reportTopics, topicJson, topicLines } from '../../dev/inspect/topics.ts';
import { COMMON_HELP, COMMON_OPTIONS, incomplete, inspecting, jsonText } from '../inspection.ts';

export const help = `sluice topics [--count] [--all] [--json]
  The installation's topics: kind, partitions, size, oldest and newest event time, schema. --count reads everything to count records (without
  it: offsets, which include transaction markers); --all: topics of Kafka and others, too.
  ${COMMON_HELP}`;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...COMMON_OPTIONS,
      count: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
    },
  });
  return await inspecting(values, async (inspection) => {
    const { avro } = inspection;
    const schemaOf = avro === undefined ? undefined : (subject: string) => avro.latest(subject);
    const { topics, complete } = await reportTopics({ ...inspection, schemaOf, count: values.count, all: values.all });
    if (values.json) inspection.print(jsonText({ complete, topics: topics.map(topicJson) }));
    else for (const line of topicLines(topics, inspection.paint)) inspection.print(line);
    return complete ? 0 : incomplete(inspection);
  });
}
