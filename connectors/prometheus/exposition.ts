/**
 * Prometheus' text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Metrics are made when somebody scrapes, from
 * counters that the parts keep anyway: what is measured pays nothing for being measured.
 */

/** Labels by name. */
export type Labels = Readonly<Record<string, string | number>>;

/** One value. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** Counts by upper bound: `counts[i]` of at most `bounds[i]` and not of a bound before; one more count for all larger ones. */
export interface HistogramSample {
  readonly labels?: Labels;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A metric. Names of counters end in `_total`; times are in seconds, sizes in bytes, points in time in seconds since the epoch. */
export type Metric = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly samples: readonly HistogramSample[] }
);

/** The content type of `expositionText`. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** All metrics as text. A metric without samples is left out. */
export function expositionText(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map((metric) => {
      const head = `# HELP ${metric.name} ${escapeHelp(metric.help)}\n# TYPE ${metric.name} ${metric.type}\n`;
      return head + linesOf(metric).join('');
    })
    .join('');
}

function linesOf(metric: Metric): string[] {
  if (metric.type !== 'histogram') return metric.samples.map(({ labels, value }) => line(metric.name, labels, value));
  return metric.samples.flatMap(({ labels, bounds, counts, sum }) => {
    let count = 0;
    const buckets = counts.map((each, i) => {
      count += each;
      const le = bounds[i] === undefined ? '+Inf' : valueText(bounds[i]);
      return line(`${metric.name}_bucket`, { ...labels, le }, count);
    });
    return [...buckets, line(`${metric.name}_sum`, labels, sum), line(`${metric.name}_count`, labels, count)];
  });
}

function line(name: string, labels: Labels | undefined, value: number): string {
  const pairs = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${valueText(value)}\n`;
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
