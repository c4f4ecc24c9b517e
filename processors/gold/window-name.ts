/** The key of a gold row: when its window begins (ISO 8601, UTC), then the rest of its grain. */
export function windowName(start: number, ...grain: readonly string[]): string {
  return [new Date(start).toISOString(), ...grain].join('|');
}
