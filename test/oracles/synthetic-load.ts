/** Samples of three hosts, several within five minutes; some beyond what can be. */
import type { AppEvents, Rng, Stream } from './synthetic.ts';

const MINUTE = 60_000;

export function systemLoad(g: Rng, { appEvent, again }: AppEvents): Stream {
  let n = 0;
  let last: Record<string, unknown> | undefined;
  const sample = (at: number): Record<string, unknown> => {
    const { eventId, occurredAt, receivedAt } = appEvent(g, at, ++n);
    const permille = (): number => g.pick([g.int(0, 1_000), g.int(0, 3), -5, 1_000, 1_007]);
    const host = g.pick(['web-1', ' WEB-1', 'db-1', 'queue-1']);
    return { eventId, occurredAt, receivedAt, host, cpuPermille: permille(), memoryPermille: permille() };
  };
  const event = (value: Record<string, unknown>) => ({
    key: value['eventId'],
    value,
    at: value['occurredAt'] as number,
  });
  return {
    topic: 'bronze.ops.system_load',
    records: 40,
    write: (at) => {
      if (last !== undefined && g.chance(0.05)) return again(g, last);
      last = sample(at);
      // Where 95 of 100 is another sample than the largest.
      const more = g.chance(0.1) ? 45 : g.int(0, 3);
      return { ...event(last), next: Array.from({ length: more }, () => event(sample(at + g.int(0, MINUTE)))) };
    },
  };
}
