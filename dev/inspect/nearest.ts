/** Names that may have been meant. */
import { SluiceError } from '#topology';

const MOST = 3;

/** At most three names, nearest first: those that hold the text, then those that differ least from it. */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  const limit = Math.max(2, Math.ceil(wanted.length / 3));
  return names
    .map((name) => ({ name, far: farness(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= limit)
    .toSorted((a, b) => a.far - b.far || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, MOST)
    .map(({ name }) => name);
}

/** The error for a name that there is not. */
export function unknownName(code: string, what: string, wanted: string, names: readonly string[]): SluiceError {
  const near = nearestNames(wanted, names);
  const hint = near.length > 0 ? `did you mean ${near.join(', ')}?` : `there are: ${names.join(', ') || 'none'}`;
  return new SluiceError(code, `there is no ${what} ${JSON.stringify(wanted)}`, { hint });
}

function farness(wanted: string, name: string): number {
  // What somebody types who leaves out the tier, or the end.
  if (wanted.length >= 3 && name.includes(wanted)) return 0.5;
  return distance(wanted, name);
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
