/** What every process tells of itself. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metric } from './exposition.ts';

const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** Memory, processor time, and how late the event loop is. */
export class ProcessMetrics {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  /** Values of event loop lag are those since the last read. */
  read(): Metric[] {
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000);
    const quantiles = [0.5, 0.99].map((q) => ({
      labels: { quantile: q },
      value: lag(this.#delay.percentile(q * 100)),
    }));
    const longest = { labels: { quantile: 1 }, value: lag(this.#delay.max) };
    this.#delay.reset();
    return [
      gauge('process_resident_memory_bytes', 'Resident memory.', rss),
      gauge('process_start_time_seconds', 'Start of the process.', performance.timeOrigin / 1_000),
      gauge('nodejs_heap_size_used_bytes', 'Heap in use.', heapUsed),
      gauge('nodejs_external_memory_bytes', 'Memory outside of the heap: buffers.', external),
      {
        name: 'process_cpu_seconds_total',
        help: 'Processor time of user and system.',
        type: 'counter',
        samples: [{ value: (user + system) / 1e6 }],
      },
      {
        name: 'nodejs_eventloop_lag_seconds',
        help: 'How late the event loop was, since the last scrape.',
        type: 'gauge',
        samples: [...quantiles, longest],
      },
    ];
  }

  close(): void {
    this.#delay.disable();
  }
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, help, type: 'gauge', samples: [{ value }] };
}
