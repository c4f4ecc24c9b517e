/** What goes on while the parts start: one line when something changes, for a download one every 2 s with megabytes and seconds. */

const EVERY_MS = 2_000;
const MB = 1e6;

interface Step {
  readonly text: string;
  readonly printedAt: number;
  readonly complete: boolean;
}

export class Progress {
  readonly #print: (line: string) => void;
  readonly #begun = Date.now();
  readonly #steps = new Map<string, Step>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  step(name: string, text: string, bytes?: { done: number; total?: number }): void {
    const last = this.#steps.get(name);
    const now = Date.now();
    const complete = bytes?.total !== undefined && bytes.done >= bytes.total;
    const soon = last !== undefined && now - last.printedAt < EVERY_MS;
    // The end is told at once, but once: a download that turns out larger than was thought stays at its end.
    if (last?.text === text && (bytes === undefined || (soon && (!complete || last.complete)))) return;
    this.#steps.set(name, { text, printedAt: now, complete });
    this.#line(name, bytes === undefined ? text : `${text}, ${megabytes(bytes)}`);
  }

  ready(name: string, text: string): void {
    this.#line(name, `ready ${text}`);
  }

  #line(name: string, text: string): void {
    const seconds = ((Date.now() - this.#begun) / 1_000).toFixed(1).padStart(5);
    this.#print(`${seconds} s  ${name.padEnd(9)} ${text}`);
  }
}

function megabytes({ done, total }: { done: number; total?: number }): string {
  const mb = (bytes: number): string => (bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0);
  return total === undefined ? `${mb(done)} MB` : `${mb(done)} of ${mb(total)} MB`;
}
