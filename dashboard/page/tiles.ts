/** The totals on top, each with the line of its last minutes. */
import type { HistoryPoint, Snapshot } from '../snapshot.ts';
import { sparkPaths } from './spark.ts';
import { html, setAttributes, setText, svg } from './dom.ts';
import { countText, durationText, shortText } from './format.ts';

interface Tile {
  readonly title: string;
  readonly unit: string;
  readonly tone: string;
  text(snapshot: Snapshot): string;
  /** undefined: no line. */
  readonly past: ((point: HistoryPoint) => number | null) | undefined;
  isWarning(snapshot: Snapshot): boolean;
}

const POINTS = 180;
const SIZE = { width: 150, height: 36 } as const;

const never = (): boolean => false;
const aside = ({ streams }: Snapshot, kind: 'late' | 'dead'): number =>
  (streams?.putAside ?? []).reduce((sum, one) => (one.kind === kind ? sum + one.count : sum), 0);

const TILES: readonly Tile[] = [
  rate('Into bronze', 'bronze', ({ bronze }) => bronze),
  rate('Into silver', 'silver', ({ silver }) => silver),
  rate('Into gold', 'gold', ({ gold }) => gold),
  {
    title: 'Largest lag',
    unit: 'event time',
    tone: 'plain',
    text: ({ history }) => durationText(history.lagMs),
    past: ({ lagMs }) => lagMs,
    isWarning: never,
  },
  {
    title: 'Late records',
    unit: 'kept aside',
    tone: 'plain',
    text: (snapshot) => (snapshot.streams === null ? '–' : countText(aside(snapshot, 'late'))),
    past: undefined,
    isWarning: never,
  },
  {
    title: 'Dead letters',
    unit: 'kept aside',
    tone: 'plain',
    text: (snapshot) => (snapshot.streams === null ? '–' : countText(aside(snapshot, 'dead'))),
    past: undefined,
    isWarning: (snapshot) => aside(snapshot, 'dead') > 0,
  },
];

function rate(title: string, tone: string, past: (point: HistoryPoint) => number | null): Tile {
  return { title, unit: 'records/s', tone, text: ({ history }) => shortText(past(history)), past, isWarning: never };
}

/** Draws into a section of the page. */
export class Tiles {
  readonly #drawn: readonly {
    readonly tile: Tile;
    readonly root: HTMLElement;
    readonly value: HTMLElement;
    readonly line: SVGPathElement;
    readonly area: SVGPathElement;
  }[];
  #points: HistoryPoint[] = [];

  constructor(section: HTMLElement) {
    this.#drawn = TILES.map((tile) => {
      const value = html('span', { class: 'value' }, '–');
      const [line, area] = [svg('path', { class: 'line' }), svg('path', { class: 'area' })];
      const { width, height } = SIZE;
      const box = {
        class: 'spark',
        viewBox: `0 0 ${width} ${height}`,
        'aria-hidden': 'true',
        preserveAspectRatio: 'none',
      };
      const figures = html('p', {}, value, html('span', { class: 'unit' }, tile.unit));
      const root = html('div', { class: `tile tone-${tile.tone}` }, html('h2', {}, tile.title), figures);
      if (tile.past !== undefined) root.append(svg('svg', box, area, line));
      section.append(root);
      return { tile, root, value, line, area };
    });
  }

  /** What was before this page looked; oldest first. */
  begin(points: readonly HistoryPoint[]): void {
    this.#points = points.slice(-POINTS);
  }

  show(snapshot: Snapshot): void {
    if ((this.#points.at(-1)?.at ?? 0) < snapshot.history.at) this.#points.push(snapshot.history);
    if (this.#points.length > POINTS) this.#points.shift();
    for (const { tile, root, value, line, area } of this.#drawn) {
      setText(value, tile.text(snapshot));
      root.classList.toggle('warning', tile.isWarning(snapshot));
      const { past } = tile;
      if (past === undefined) continue;
      const paths = sparkPaths(this.#points.map(past), SIZE.width, SIZE.height, Math.max(60, this.#points.length));
      setAttributes(line, { d: paths.line });
      setAttributes(area, { d: paths.area });
    }
  }
}
