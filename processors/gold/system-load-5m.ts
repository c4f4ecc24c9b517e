import { filter } from 'rxjs';
import {
  aggregate,
  atLeast,
  between,
  checked,
  contract,
  dedupe,
  keyBy,
  mapValues,
  matches,
  rule,
  stage,
  tumbling,
  windowedBy,
} from '#topology';
import type { GoldSystemLoad5m } from '#schemas';
import { FORM } from '../silver/clean.ts';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { addSample, average, type Histogram, largest, NO_SAMPLES, percentile, samplesIn } from './histogram.ts';
import { windowName } from './window-name.ts';

const WINDOW_MS = 5 * 60_000;

/** What gold.system_load_5m promises. */
export const systemLoad5mContract = contract(topics.gold.systemLoad5m, {
  grain: 'one row per five minutes and host; updated while they last',
  key: 'windowStart|host',
  freshness: '3s',
  since: 'event',
  checks: [
    rule('the window is five minutes', ({ windowStart, windowEnd }) => windowEnd - windowStart === WINDOW_MS),
    matches('host', FORM.lowerCase, 'in lower case'),
    atLeast('samples', 1),
    between('cpuAverage', 0, 1_000),
    between('memoryAverage', 0, 1_000),
    rule('no percentile is beyond the largest', (row) => row.cpuP95 <= row.cpuMax && row.memoryP95 <= row.memoryMax),
    between('cpuMax', 0, 1_000),
    between('memoryMax', 0, 1_000),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 17, 10),
    windowEnd: Date.UTC(2026, 4, 17, 10, 5),
    host: 'web-1',
    samples: 30,
    cpuAverage: 310,
    cpuP95: 870,
    cpuMax: 990,
    memoryAverage: 500,
    memoryP95: 512,
    memoryMax: 514,
  },
});

interface Load {
  readonly cpu: Histogram;
  readonly memory: Histogram;
}

/** gold.system_load_5m: processors and memory per host and five minutes, average, p95 and most, up to the last commit. Key: windowStart|host. */
export const systemLoad5m = stage('gold.system_load_5m', (s) => {
  s.stream(topics.bronze.ops.systemLoad)
    .pipe(
      filter((r) => r.value !== null),
      dedupe({ by: (r) => r.value.eventId, ...ONCE.systemLoad, store: 'load-seen' }),
      keyBy((r) => r.value.host.trim().toLowerCase()),
      windowedBy(tumbling({ size: '5m', grace: '5m' })),
      aggregate(
        (): Load => ({ cpu: NO_SAMPLES, memory: NO_SAMPLES }),
        ({ cpu, memory }, sample) => ({
          cpu: addSample(cpu, sample.cpuPermille),
          memory: addSample(memory, sample.memoryPermille),
        }),
        { store: 'system-load-5m', emit: 'updates', commutative: true },
      ),
    )
    .toStream()
    .pipe(
      mapValues(({ cpu, memory }, { key, start, end }): GoldSystemLoad5m => ({
        windowStart: start,
        windowEnd: end,
        host: key,
        samples: samplesIn(cpu),
        cpuAverage: average(cpu),
        cpuP95: percentile(cpu, 95),
        cpuMax: largest(cpu),
        memoryAverage: average(memory),
        memoryP95: percentile(memory, 95),
        memoryMax: largest(memory),
      })),
      keyBy((r) => windowName(r.value.windowStart, r.value.host)),
      checked(systemLoad5mContract),
    )
    .to(topics.gold.systemLoad5m);
});
