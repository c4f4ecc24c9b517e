/** What words and dates mean: the part of the reference that knows age bands and channels. */
import { HOUR } from './synthetic.ts';

/** The age band of somebody born on a day (days since the epoch), at an instant. */
export function ageBand(birthDate: unknown, t: number): string {
  if (typeof birthDate !== 'number') return 'unknown';
  let age = -1; // birthdays so far, counting the day of birth as the zeroth; 29 February is celebrated on 1 March
  const birth = new Date(birthDate * 24 * HOUR);
  for (let year = birth.getUTCFullYear(); Date.UTC(year, birth.getUTCMonth(), birth.getUTCDate()) <= t; year++) age++;
  const bands = [
    [65, '65+'],
    [55, '55-64'],
    [45, '45-54'],
    [35, '35-44'],
    [25, '25-34'],
    [18, '18-24'],
  ] as const;
  return bands.find(([from]) => age >= from)?.[1] ?? 'under-18';
}

/** The channel that a sender means. */
export function channelOf(value: unknown): string {
  const said = typeof value === 'string' ? value.trim().toLowerCase() : '';
  const has = (...words: string[]): boolean => words.some((word) => said.includes(word));
  if (said === '' || has('direct')) return 'direct';
  if (has('ads', 'cpc')) return 'ads';
  if (has('google', 'bing', 'organic', 'search')) return 'search';
  if (has('facebook', 'fb', 'instagram', 'twitter', 'tiktok', 'social')) return 'social';
  if (has('mail')) return 'email';
  return has('referr', 'partner') ? 'referral' : 'other';
}
