/** The options of `sluice replay` as a request. */
import { checkReplayId, ConfigError, type RangeBound, type ReplayRequest } from '#topology';
import { parseTime } from '../../dev/inspect/bounds.ts';

/** ConfigError SLC_REPLAY_NAME, SLC_REPLAY_RANGE for what cannot be. `stage`: 'all', or names with commas between. */
export function requestOf(stage: string, options: { from: string; to: string; into: string }): ReplayRequest {
  return {
    id: checkReplayId(options.into),
    stages: stage === 'all' ? 'all' : stage.split(','),
    from: options.from === 'earliest' ? 'earliest' : bound('--from', options.from),
    to: options.to === 'now' ? 'now' : bound('--to', options.to),
  };
}

const OFFSET = /^\d{1,18}$/;

function bound(option: string, text: string): RangeBound {
  if (OFFSET.test(text)) return { offset: BigInt(text) };
  const time = parseTime(text);
  if (time !== undefined) return { time };
  const word = option === '--from' ? 'earliest' : 'now';
  throw new ConfigError('SLC_REPLAY_RANGE', `${option} ${text} is no time and no offset`, {
    hint: `an ISO time as in 2026-01-31T12:00 (UTC), an offset of every partition of the origin topics, or ${word}`,
  });
}
