/** The shop as a project: its stages, and which of them run as applications of their own (SLUICE_APPS). */
import {
  applicationsOf,
  buildTopology,
  ConfigError,
  partAppOf,
  type Parts,
  partTopology,
  type Topology,
} from '#topology';
import { shopStages } from '../processors/index.ts';

const FORM =
  'SLUICE_APPS="fraud=gold.login_anomalies;ops=gold.system_load_5m", commas between the stages of one application';

/**
 * SLUICE_APPS: the applications beside the shop's own, and their stages. One deployment has one: it is the same for all processes and commands. None when it
 * is not set. ConfigError SLC_CONFIG_OPTION for another form; stages and names are checked when the project is built.
 */
export function shopParts(text: string = process.env['SLUICE_APPS'] ?? ''): Parts {
  const parts: Record<string, string[]> = {};
  for (const each of text.split(';').map((part) => part.trim())) {
    if (each === '') continue;
    const [name = '', stages = '', ...more] = each.split('=').map((side) => side.trim());
    if (name === '' || stages === '' || more.length > 0 || Object.hasOwn(parts, name)) {
      throw new ConfigError(
        'SLC_CONFIG_OPTION',
        `SLUICE_APPS: ${JSON.stringify(each)} names no application with its stages`,
        {
          hint: `as in ${FORM}`,
        },
      );
    }
    parts[name] = stages.split(',').map((stage) => stage.trim());
  }
  return parts;
}

/** The whole project, whoever runs what of it. TopologyError SLC_TOPOLOGY_PARTS for parts that cannot be. */
export function shopProject(app: string): Topology {
  return buildTopology(shopStages, { app, parts: shopParts() });
}

/**
 * What one `sluice run` runs: with `--only` the application that has exactly these stages, or is called so; without, what is left. ConfigError
 * SLC_APP_UNDECLARED when there is none: a subset that is declared nowhere could run twice.
 */
export function shopApplication(project: Topology, only: string | undefined): Topology {
  if (only === undefined) return partTopology(project, project.base);
  const wanted = new Set(only.split(',').map((stage) => stage.trim()));
  const parts = applicationsOf(project).filter((app) => app !== project.base);
  const stagesOf = (app: string): string[] =>
    project.stages.flatMap(({ name }) => (project.owners.get(name) === app ? [name] : []));
  const found = parts.find((app) => {
    const stages = stagesOf(app);
    const isAll = stages.length === wanted.size && stages.every((stage) => wanted.has(stage));
    return isAll || app === partAppOf(project.base, only);
  });
  if (found !== undefined) return partTopology(project, found);
  const declared = parts.map((app) => `${app} (${stagesOf(app).join(',')})`);
  throw new ConfigError(
    'SLC_APP_UNDECLARED',
    `no application of ${project.base} has just the stages ${[...wanted].join(',')}`,
    {
      hint: `${declared.length === 0 ? 'none is declared' : `declared are: ${declared.join('; ')}`}; for all processes: ${FORM}`,
    },
  );
}
