/** What the shop's people and things are called, as people type it: with spaces, cases, other scripts and gaps. */
type Words = readonly [string, ...string[]];
type OptionalWords = readonly [string | null, ...(string | null)[]];

export const FIRST_NAMES: Words = ['Ann', 'Béla', 'Chloé', 'Dmitri', 'Elif', 'Fatima', 'Günther', 'Hana', 'Íñigo', 'José', 'Køge', 'Łucja', 'Mei', 'Nguyễn', 'Olu', 'Priya', 'Zoë', '太郎']; // prettier-ignore
export const LAST_NAMES: Words = ["O'Neil", 'Müller', 'Nováková', 'Silva', 'García', 'Øst', 'Yılmaz', 'Smith', 'Kowalski', 'Dubois', '山田', 'Иванов', 'Cohen', 'Haddad', 'Rossi']; // prettier-ignore
export const MAIL_HOSTS: Words = ['example.com', 'Example.org', 'mail.example.net', 'EXAMPLE.com'];
export const COUNTRIES: OptionalWords = ['DE', 'de', ' DE', 'FR', 'fr ', 'US', 'Us', 'GB', 'ES', 'IT', 'jp', 'PL', 'NL', 'BR', 'Germany', '', null]; // prettier-ignore

export const CATEGORIES: OptionalWords = ['Books', ' books ', 'TOYS', 'Toys', 'Garden Tools', 'garden tools', 'Kitchen', 'kitchen', 'Games', 'Music', 'Sports', 'Pet Supplies', 'Office', 'office ', 'Camping', 'Art & Craft', 'Baby', 'Lighting', null]; // prettier-ignore
export const ADJECTIVES: Words = ['Small', 'Grand', 'Crème', 'Handmade', 'Blaue', 'Señor’s', '日本の', 'Vintage', 'Solar', 'Folding', 'Quiet', 'Ünique']; // prettier-ignore
export const NOUNS: Words = ['Teapot', 'Atlas', 'Brûlée Set 🍮', 'Drachen', 'Piñata', 'Lamp', 'Kettle', '本', 'Rake', 'Puzzle', 'Ukulele', 'Chess Set ♟']; // prettier-ignore

export interface Entry {
  /** As senders write it. */
  readonly channel: string | null;
  readonly referrer: string | null;
  /** What the address of the first page carries. */
  readonly query: string;
}

export const ENTRIES: readonly [Entry, ...Entry[]] = [
  { channel: null, referrer: null, query: '' },
  { channel: '', referrer: null, query: '' },
  { channel: 'Direct', referrer: null, query: '' },
  { channel: 'Google / organic', referrer: 'https://www.google.com/', query: '' },
  { channel: 'bing organic ', referrer: 'https://www.bing.com/', query: '' },
  { channel: 'Google Ads', referrer: 'https://www.google.com/', query: '?utm_source=google&utm_medium=cpc' },
  { channel: 'cpc', referrer: null, query: '?utm_source=partner&utm_medium=cpc' },
  { channel: 'FB', referrer: 'https://m.facebook.com/', query: '?utm_source=facebook&utm_medium=social' },
  { channel: 'fb-ads', referrer: 'https://l.facebook.com/', query: '?utm_source=facebook&utm_medium=paid' },
  { channel: 'TikTok', referrer: 'https://www.tiktok.com/', query: '?utm_source=tiktok' },
  { channel: 'newsletter mail', referrer: null, query: '?utm_source=newsletter&utm_medium=email' },
  { channel: 'EMAIL', referrer: null, query: '?utm_medium=email' },
  { channel: 'partner-7', referrer: 'https://partner-7.example/', query: '?utm_source=partner-7' },
  { channel: 'radio', referrer: null, query: '?utm_source=radio' },
];

export const OTHER_PAGES: Words = ['/', '/search?q=tea%20pot', '/cart', '/about', '/categories/books'];
export const LANGUAGES: Words = ['de', 'en', 'fr', 'ja', 'pl'];
export const LOGIN_METHODS: Words = ['password', 'password', 'Password', 'google', 'apple'];
export const LOGIN_DEVICES: Words = ['iPhone', 'iPhone SE', 'Pixel', 'Galaxy', 'iPad', 'MacBook', 'Windows PC', 'Linux PC', 'Chromebook', 'Fire Tablet', 'Steam Deck', 'Smart TV', 'Headless Chrome', 'Old Android']; // prettier-ignore
