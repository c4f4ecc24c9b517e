/** What is committed with a position of an origin topic: metadata of the offset, JSON {"w", "next"}, both ms; absent = not known. */
export interface CommittedClock {
  /** The clock at the position. */
  readonly w: number;
  /** What it will at least be behind the record at the position, as far as that one was at hand (TIME.md rule 14). */
  readonly next: number;
}

/** As metadata; empty when nothing is known. */
export function encodeClock({ w, next }: CommittedClock): string {
  const known = { ...(Number.isFinite(w) && { w }), ...(Number.isFinite(next) && next > w && { next }) };
  return Object.keys(known).length === 0 ? '' : JSON.stringify(known);
}

/** -Infinity for what is not known. */
export function parseClock(metadata: string | null): CommittedClock {
  const { w = -Infinity, next = -Infinity } = JSON.parse(metadata || '{}') as Partial<CommittedClock>;
  return { w, next };
}
