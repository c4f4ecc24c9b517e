/** `sluice lag`: how far stages and sinks are behind, and who holds them back. */
import { parseArgs } from 'node:util';
import { Clocks } from '../../dev/inspect/clocks.ts';
import { lagJson, lagLines, sinkLags, stageLags } from '../../dev/inspect/lag.ts';
import { COMMON_HELP, COMMON_OPTIONS, incomplete, inspecting, jsonText } from '../inspection.ts';
import { sinkTargets } from '../sink-targets.ts';

export const help = `sluice lag [--partitions] [--json]
  Per stage: offsets behind, event-time lag behind the newest origin clock, watermark, and the writer that holds it back with the tasks between.
  Per sink: offsets that its target does not hold yet, by the target's own position (SLUICE_POSTGRES, SLUICE_LAKE). --partitions: per partition.
  ${COMMON_HELP}`;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { ...COMMON_OPTIONS, partitions: { type: 'boolean', default: false } },
  });
  return await inspecting(values, async (inspection) => {
    const { client, admin, topology, deadline, paint } = inspection;
    const clocks = await Clocks.read(client, admin, topology, deadline);
    const tasks = stageLags(clocks);
    const { sinks, problems } = await sinkLags(admin, sinkTargets(inspection.installation, topology.app));
    if (values.json) {
      inspection.print(jsonText({ complete: clocks.complete, app: topology.app, ...lagJson(tasks, sinks), problems }));
    } else {
      for (const line of lagLines(tasks, sinks, values.partitions, paint)) inspection.print(line);
      for (const { sink, reason } of problems)
        inspection.note(paint.red(`sink ${sink}: its target does not answer: ${reason}`));
    }
    return clocks.complete ? 0 : incomplete(inspection);
  });
}
