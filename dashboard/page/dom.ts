/** Elements by code. Text goes in as text: there is no way from data to markup, and so none from a topic's name to a script. */

const SVG = 'http://www.w3.org/2000/svg';

/** An attribute; null and false leave it out. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** An HTML element with attributes and children; strings become text. */
export function html<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/** The same for SVG. */
export function svg<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[Name] {
  const element = document.createElementNS(SVG, name);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/** Sets and takes away attributes; what is equal is not touched. */
export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
}

/** Sets the text when it is another: what is selected or read out stays. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The element of the page with this id, which must be there. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** A cell: its text, and classes that say what it means. */
export interface Cell {
  readonly text: string;
  readonly class?: string;
  readonly title?: string;
}

/** Makes the rows of a table body those; the first cell is the row's head. */
export function setRows(body: HTMLElement, rows: readonly (readonly Cell[])[]): void {
  while (body.children.length > rows.length) body.lastElementChild?.remove();
  for (const [i, cells] of rows.entries()) {
    const row = body.children[i] ?? body.appendChild(html('tr'));
    while (row.children.length > cells.length) row.lastElementChild?.remove();
    for (const [j, cell] of cells.entries()) {
      const head = j === 0;
      const element = row.children[j] ?? row.appendChild(html(head ? 'th' : 'td', head ? { scope: 'row' } : {}));
      setText(element, cell.text);
      setAttributes(element, { class: cell.class ?? null, title: cell.title ?? null });
    }
  }
}
