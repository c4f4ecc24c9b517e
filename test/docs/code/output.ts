/** Outputs as they are compared: what is different at every run counts as the same. */

const TIME = /\d{4}-\d{2}-\d{2}[T ][\d:.]+Z?/g;
/** The epoch of a topology is of all stages. */
const EPOCH = /\bepoch [0-9a-f]{12}\b/g;
const NUMBER = /\b\d[\d,.]*\b/g;

/** Numbers and times as `0`, columns one blank apart, without empty lines. */
export function masked(text: string): string {
  return text
    .replaceAll(TIME, '0')
    .replaceAll(EPOCH, 'epoch 0')
    .replaceAll(NUMBER, '0')
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '')
    .join('\n');
}

/** Lines of a document that are not in the output, in this order; `...` stands for any. */
export function missingLines(documented: string, output: string): string[] {
  const lines = masked(output).split('\n');
  let at = 0;
  return masked(documented)
    .split('\n')
    .filter((line) => {
      if (line === '...') return false;
      const found = lines.indexOf(line, at);
      if (found >= 0) at = found + 1;
      return found < 0;
    });
}
