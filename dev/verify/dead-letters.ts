/** Are the dead letters of app events exactly the events that the simulator spoiled, each with its reason? */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { deadLetterTopicOf, type KafkaClient, SluiceError } from '#topology';
import { APP_TOPICS } from './tables.ts';
import { rangesOf, readTopics } from './read-topics.ts';

/** What was expected and found. `again`: letters that are there more than once (a request that had no answer is sent again). */
export interface DeadLetterResult {
  readonly expected: number;
  readonly found: number;
  readonly missing: number;
  readonly extra: number;
  readonly again: number;
  readonly examples: readonly string[];
}

/** Event id -> topic and code. */
type Letters = Map<string, string>;

const UNKNOWN_EVENTS = 'bronze.app.events.dlq';
const CODES: Readonly<Record<string, string | undefined>> = {
  'invalid:wrong-type': 'SLC_RECORD_TYPE',
  'invalid:missing-field': 'SLC_RECORD_FIELDS',
  'invalid:unknown-event': 'SLC_RECORD_EVENT',
  'invalid:too-far-ahead': 'SLC_RECORD_AHEAD',
};
const EXAMPLES = 5;

/** Reads the manifest (and what was rotated out of it) and the dead-letter topics of app events. SluiceError SLC_VERIFY_MANIFEST. */
export async function verifyDeadLetters(
  client: KafkaClient,
  manifest: string,
  deadline: number,
): Promise<DeadLetterResult> {
  const expected = await lettersOf(manifest);
  const found: Letters = new Map();
  let again = 0;
  const admin = await client.admin();
  const ranges = await rangesOf(admin, [...APP_TOPICS.map((topic) => deadLetterTopicOf(topic)), UNKNOWN_EVENTS]);
  await admin.close();
  await readTopics(client, ranges, deadline, ({ topic }, cursor) => {
    const id = eventIdOf(cursor.valueBytes());
    const letter = `${topic} ${cursor.header('code')?.toString() ?? 'no code'}`;
    if (found.get(id) === letter) again++;
    found.set(id, letter);
    return undefined;
  });
  return { ...compareLetters(expected, found), again };
}

/** Every spoiled event once, and nothing else. */
export function compareLetters(expected: Letters, found: Letters): Omit<DeadLetterResult, 'again'> {
  const wrong = [...expected].filter(([id, letter]) => found.get(id) !== letter);
  const extra = [...found].filter(([id]) => !expected.has(id));
  const examples = [
    ...wrong.map(([id, letter]) => `${id}: expected in ${letter}, is in ${found.get(id) ?? 'none'}`),
    ...extra.map(([id, letter]) => `${id}: in ${letter}, but was not spoiled`),
  ];
  return {
    expected: expected.size,
    found: found.size,
    missing: wrong.length,
    extra: extra.length,
    examples: examples.slice(0, EXAMPLES),
  };
}

export function isRightLetters({ expected, missing, extra }: DeadLetterResult): boolean {
  return expected > 0 && missing === 0 && extra === 0;
}

/** For people. */
export function reportLetters(result: DeadLetterResult): string {
  const { expected, found, missing, extra, again, examples } = result;
  const counts = `${expected} expected by the manifest, ${found} found, ${missing} missing or with another reason, ${extra} extra`;
  const verdict = isRightLetters(result) ? 'ok' : 'WRONG';
  const lines = examples.map((line) => `\n  ${line}`).join('');
  return `dead letters: ${counts}, ${again} sent again  ${verdict}${lines}`;
}

async function lettersOf(manifest: string): Promise<Letters> {
  if (!existsSync(manifest)) throw new SluiceError('SLC_VERIFY_MANIFEST', `there is no ${manifest}`);
  const letters: Letters = new Map();
  for (const file of [`${manifest}.1`, manifest].filter((path) => existsSync(path))) {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      // Most lines are of events that are as they should be.
      if (!text.includes('"invalid:')) continue;
      const { id, topic, flag } = JSON.parse(text) as { id: string; topic: string | null; flag: string };
      const code = CODES[flag];
      if (code === undefined) throw new SluiceError('SLC_VERIFY_MANIFEST', `${file}: no code is known for ${flag}`);
      letters.set(id, `${topic === null ? UNKNOWN_EVENTS : deadLetterTopicOf(topic)} ${code}`);
    }
  }
  return letters;
}

/** The letter's value is what the sender sent. */
function eventIdOf(value: Buffer | null): string {
  try {
    const { properties } = JSON.parse(value?.toString('utf8') ?? '') as { properties?: { eventId?: unknown } };
    return String(properties?.eventId);
  } catch {
    return `no JSON: ${value?.toString('hex', 0, 20) ?? 'no value'}`;
  }
}
