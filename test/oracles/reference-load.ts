/** Samples sorted, not counted: average, the value at 95 of 100, the largest. */
import type { Timed } from './reference.ts';
import { MINUTE } from './synthetic.ts';

/** A row without its window, from the samples in it. */
export function loadOf(samples: readonly Timed[]): Record<string, unknown> {
  const of = (name: string): readonly [average: number, p95: number, max: number] => {
    const values = samples.map(({ value }) => Number((value as Record<string, unknown>)[name])).map(inRange);
    values.sort((a, b) => a - b);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // The largest of the first 95 %: no more than a twentieth of the samples may lie beyond it.
    const beyond = Math.floor(values.length / 20);
    return [Math.round(mean), values.at(-1 - beyond) ?? 0, values.at(-1) ?? 0];
  };
  const [cpuAverage, cpuP95, cpuMax] = of('cpuPermille');
  const [memoryAverage, memoryP95, memoryMax] = of('memoryPermille');
  return { samples: samples.length, cpuAverage, cpuP95, cpuMax, memoryAverage, memoryP95, memoryMax };
}

export const LOAD_WINDOW = 5 * MINUTE;

const inRange = (permille: number): number => (permille < 0 ? 0 : permille > 1_000 ? 1_000 : permille);
