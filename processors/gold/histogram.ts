/** How often each value came, for values from 0 to 1000: averages and percentiles are exact, and the state bounded, however many samples come. */

const MOST = 1_000;

/** [value, how often] in the order of the values; at most 1,001 of them. */
export type Histogram = readonly (readonly [value: number, count: number])[];

export const NO_SAMPLES: Histogram = [];

/** One sample more. What lies beyond 0 to 1000 counts as the nearest of them: a host cannot be busier than full. */
export function addSample(histogram: Histogram, sample: number): Histogram {
  const value = Math.min(MOST, Math.max(0, sample));
  const place = histogram.findIndex(([each]) => each >= value);
  if (place < 0) return [...histogram, [value, 1]];
  const [found = value, count = 0] = histogram[place] ?? [];
  return found === value ? histogram.with(place, [value, count + 1]) : histogram.toSpliced(place, 0, [value, 1]);
}

export function samplesIn(histogram: Histogram): number {
  return histogram.reduce((sum, [, count]) => sum + count, 0);
}

/** To the nearest whole number, halves up; 0 of nothing. */
export function average(histogram: Histogram): number {
  const samples = samplesIn(histogram);
  const sum = histogram.reduce((total, [value, count]) => total + value * count, 0);
  return samples === 0 ? 0 : Math.floor((2 * sum + samples) / (2 * samples));
}

/** The least value that `percent` of 100 samples do not exceed (nearest rank); 0 of nothing. */
export function percentile(histogram: Histogram, percent: number): number {
  const rank = Math.ceil((samplesIn(histogram) * percent) / 100);
  let counted = 0;
  return histogram.find(([, count]) => (counted += count) >= rank)?.[0] ?? 0;
}

/** 0 of nothing. */
export function largest(histogram: Histogram): number {
  return histogram.at(-1)?.[0] ?? 0;
}
