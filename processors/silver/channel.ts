/** The rules, first match wins: senders write channels in many spellings ('Google / organic', 'fb-ads', 'EMAIL'). */
const RULES: readonly (readonly [channel: string, words: readonly string[]])[] = [
  ['direct', ['direct']],
  ['ads', ['ads', 'cpc']],
  ['search', ['google', 'bing', 'organic', 'search']],
  ['social', ['facebook', 'fb', 'instagram', 'twitter', 'tiktok', 'social']],
  ['email', ['mail']],
  ['referral', ['referr', 'partner']],
];

/** What `channelOf` makes of them. */
export const CHANNELS: readonly string[] = [...RULES.map(([channel]) => channel), 'other'];

/** One of CHANNELS. Nothing at all is direct. */
export function channelOf(written: string | null): string {
  const text = written?.trim().toLowerCase() ?? '';
  if (text === '') return 'direct';
  return RULES.find(([, words]) => words.some((word) => text.includes(word)))?.[0] ?? 'other';
}
