/** Small charts as SVG: bars, and stacked columns over time. */
import type { ChartNow } from '../snapshot.ts';
import { svg } from './dom.ts';
import { axisTimeText, shortText } from './format.ts';

const HEIGHT = 168;
/** Width of one, px; about. */
const LETTER = 7.2;
const DAY_MS = 86_400_000;

/** A chart, `width` px wide, with its title and newest figures for those who do not see it. */
export function chart(data: ChartNow, width: number): SVGSVGElement {
  const drawn = data.kind === 'bars' ? bars(data, width) : columns(data, width);
  const label = `${data.title}: ${summaryOf(data)}`;
  return svg('svg', { class: 'chart', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': label }, ...drawn);
}

/** Names of the series in the order of their colours; none for a single one. */
export function legendOf(data: ChartNow): readonly string[] {
  return data.kind === 'series' && data.series.length > 1 ? data.series.map(({ label }) => label) : [];
}

function summaryOf(data: ChartNow): string {
  if (data.kind === 'bars')
    return data.bars.map(({ label, value }) => `${label} ${shortText(value)}`).join(', ') || 'nothing';
  return (
    data.series.map(({ label, values }) => `${label} ${shortText(values.at(-1) ?? 0)} at last`).join(', ') || 'nothing'
  );
}

function bars({ bars: all }: Extract<ChartNow, { kind: 'bars' }>, room: number): SVGElement[] {
  const most = Math.max(...all.map(({ value }) => value), Number.MIN_VALUE);
  const step = Math.min(26, HEIGHT / Math.max(1, all.length));
  const [left, right] = [Math.min(190, Math.round(room * 0.36)), 56];
  return all.map(({ label, value }, i) => {
    const y = i * step;
    const width = Math.max(2, (Math.max(0, value) / most) * (room - left - right));
    const height = Math.min(14, step - 6);
    const middle = y + step / 2;
    return svg(
      'g',
      {},
      svg('title', {}, `${label}: ${value}`),
      svg(
        'text',
        { class: 'label', x: left - 10, y: middle, 'text-anchor': 'end' },
        cut(label, Math.floor(left / LETTER)),
      ),
      svg('rect', { class: 'mark s0', x: left, y: middle - height / 2, width, height, rx: 3 }),
      svg('text', { class: 'value', x: left + width + 8, y: middle }, shortText(value)),
    );
  });
}

/** Columns per point in time, the series on top of each other. */
function columns({ times, series }: Extract<ChartNow, { kind: 'series' }>, width: number): SVGElement[] {
  const [left, top, bottom] = [34, 8, 22];
  const sums = times.map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0));
  const most = niceMost(Math.max(0, ...sums));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const step = Math.min(...times.slice(1).map((time, i) => time - (times[i] ?? 0)), DAY_MS);
  // Few points stand on the right, where the newest is, and are not blown up to walls.
  const slots = Math.max(12, times.length < 2 ? 1 : Math.round((last - first) / step) + 1);
  const slot = (width - left) / slots;
  const xOf = (time: number): number => width - slot * (1 + (times.length < 2 ? 0 : (last - time) / step));
  const yOf = (value: number): number => top + (1 - value / most) * (HEIGHT - top - bottom);
  const grid = [0, 0.5, 1].map((share) => {
    const y = yOf(share * most);
    return svg(
      'g',
      {},
      svg('line', { class: 'grid', x1: left, x2: width, y1: y, y2: y }),
      svg('text', { class: 'label', x: left - 8, y, 'text-anchor': 'end' }, shortText(share * most)),
    );
  });
  const withDay = last - first >= DAY_MS;
  // Two labels need room.
  const named = times.length < 2 || xOf(last) - xOf(first) < 100 ? times.slice(-1) : [first, last];
  const axis = named.map((time, i) =>
    svg(
      'text',
      {
        class: 'label',
        x: named.length > 1 && i === 0 ? xOf(time) : width,
        y: HEIGHT - 8,
        'text-anchor': named.length > 1 && i === 0 ? 'start' : 'end',
      },
      axisTimeText(time, withDay),
    ),
  );
  const marks = times.map((time, i) => {
    let sum = 0;
    const parts = series.map(({ label, values }, s) => {
      const value = values[i] ?? 0;
      const y = yOf(sum + value);
      const height = yOf(sum) - y;
      sum += value;
      return svg(
        'rect',
        { class: `mark s${s}`, x: xOf(time) + 1, y, width: Math.max(1, slot - 2), height: Math.max(0, height), rx: 1 },
        svg('title', {}, `${axisTimeText(time, true)} ${label}: ${value}`),
      );
    });
    return svg('g', {}, ...parts);
  });
  return [...grid, ...marks, ...axis];
}

/** The next figure that an axis can end with: 1, 2, 3, 4, 5, 8, 10 and so on. */
function niceMost(value: number): number {
  if (value <= 2) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 3, 4, 5, 8, 10].find((each) => each * power >= value) ?? 10) * power;
}

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
