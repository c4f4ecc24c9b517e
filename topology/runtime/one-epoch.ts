import type { Clock } from '../clock.ts';
import { TopologyError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { GroupMember, KafkaAdmin } from './kafka-client.ts';

const ASK_MS = 500;

/** Members of a group that run another topology. */
export async function membersOfOtherEpochs(
  admin: Pick<KafkaAdmin, 'groupMembers'>,
  group: string,
  epoch: string,
): Promise<GroupMember[]> {
  return (await admin.groupMembers(group)).filter((member) => member.epoch !== epoch);
}

/** TopologyError SLC_APP_OTHER_EPOCH. */
export function otherEpochRuns(app: string, epoch: string, others: readonly GroupMember[]): TopologyError {
  const epochs = [...new Set(others.map((member) => member.epoch))].join(', ');
  return new TopologyError(
    'SLC_APP_OTHER_EPOCH',
    `another version of application ${app} runs: ${others.length} member(s) of epoch ${epochs}, this is ${epoch}`,
    {
      where: app,
      hint: 'stop the old version everywhere (SIGTERM), then start this one; or give this one another --app',
    },
  );
}

/**
 * Two versions of an application must not share its state: waits at most `waitMs` for the members of another one to leave (one that was killed counts
 * until its session has ended), then TopologyError SLC_APP_OTHER_EPOCH. Nothing has been changed by then.
 */
export async function waitForOtherEpochs(options: {
  readonly admin: Pick<KafkaAdmin, 'groupMembers'>;
  readonly app: string;
  readonly epoch: string;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { admin, app, epoch, clock, logger, signal } = options;
  const until = clock.now() + options.waitMs;
  for (let nth = 0; !signal.aborted; nth++) {
    const others = await membersOfOtherEpochs(admin, app, epoch);
    if (others.length === 0) return;
    if (clock.now() >= until) throw otherEpochRuns(app, epoch, others);
    if (nth === 0) logger.warn({ members: others.length }, `waiting for another version of ${app} to leave its group`);
    await clock.sleep(ASK_MS, signal);
  }
}
