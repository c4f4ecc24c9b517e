/** A card per table of gold: a chart, and the newest rows. */
import type { GoldTableNow } from '../snapshot.ts';
import { chart, legendOf } from './charts.ts';
import { html, setRows, setText } from './dom.ts';
import { plural, shortName } from './format.ts';

interface Card {
  readonly root: HTMLElement;
  readonly note: HTMLElement;
  readonly figure: HTMLElement;
  readonly body: HTMLElement;
  /** The chart as it was drawn last, and how wide: an equal one is not drawn again. */
  drawn: string;
}

/** Draws into a section of the page. */
export class GoldCards {
  readonly #section: HTMLElement;
  readonly #cards = new Map<string, Card>();

  constructor(section: HTMLElement) {
    this.#section = section;
  }

  show(tables: readonly GoldTableNow[]): void {
    for (const table of tables) {
      let card = this.#cards.get(table.name);
      if (card === undefined) {
        this.#cards.set(table.name, (card = cardOf(table)));
        this.#section.append(card.root);
      }
      const rows = table.rows === null ? '' : plural(table.rows, 'row');
      setText(card.note, table.problem ?? rows);
      card.note.classList.toggle('problem', table.problem !== null && table.problem !== 'no rows yet');
      setRows(
        card.body,
        table.newest.map((row) =>
          row.map((cell, i) => ({
            text: cell ?? '–',
            class: table.columns[i]?.kind === 'number' ? 'number' : (table.columns[i]?.kind ?? ''),
          })),
        ),
      );
      const style = getComputedStyle(card.figure);
      const room = card.figure.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      const width = Math.max(280, Math.floor(room));
      const data = JSON.stringify([table.chart, width]);
      if (table.chart === null || data === card.drawn) continue;
      card.drawn = data;
      const legend = legendOf(table.chart).map((name, i) => html('li', { class: `s${i}` }, name));
      card.figure.replaceChildren(
        html('figcaption', {}, table.chart.title),
        ...(legend.length > 0 ? [html('ul', { class: 'legend' }, ...legend)] : []),
        chart(table.chart, width),
      );
    }
  }
}

function cardOf({ name, about, columns }: GoldTableNow): Card {
  const note = html('span', { class: 'note' });
  const figure = html('figure');
  const body = html('tbody');
  const heads = columns.map((column) =>
    html('th', { scope: 'col', class: column.kind === 'number' ? 'number' : null }, column.name.replaceAll('_', ' ')),
  );
  const root = html(
    'article',
    { class: 'panel card', 'data-table': name },
    html('div', { class: 'head' }, html('h3', {}, shortName(name)), note),
    html('p', { class: 'about' }, about),
    figure,
    html(
      'div',
      { class: 'scroll' },
      html('table', { 'aria-label': `Newest rows of ${name}` }, html('thead', {}, html('tr', {}, ...heads)), body),
    ),
  );
  return { root, note, figure, body, drawn: '' };
}
