/** `sluice describe`: the topology, before any record flows. */
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { topologyJson, topologyMermaid, topologyText } from '../../dev/inspect/describe.ts';
import { jsonText } from '../inspection.ts';
import { shopApplication, shopProject } from '../project.ts';

export const help = `sluice describe [STAGE] [--json|--mermaid] [--app NAME] [--only STAGES]
  The topology of all stages or of one: sub-topologies, tasks, topics read and written, stores, nodes. Nothing needs to run.
  --only A,B: of the application that SLUICE_APPS declares for just these stages.`;

export function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      app: { type: 'string', default: 'shop' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      mermaid: { type: 'boolean', default: false },
    },
  });
  const [stage, more] = positionals;
  if (more !== undefined || (values.json && values.mermaid)) {
    throw new ConfigError('SLC_CONFIG_OPTION', 'describe takes one stage at most, and one of --json and --mermaid');
  }
  const project = shopProject(values.app);
  const topology = values.only === undefined ? project : shopApplication(project, values.only);
  const text = values.mermaid ? topologyMermaid(topology, stage) : topologyText(topology, stage);
  process.stdout.write(`${values.json ? jsonText(topologyJson(topology, stage)) : text}\n`);
  return Promise.resolve(0);
}
