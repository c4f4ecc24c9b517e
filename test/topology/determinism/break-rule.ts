/**
 * To be loaded by --import: breaks the rule whose place in BROKEN_RULES and, behind them, BROKEN_STANDBYS, BROKEN_SKEW and BROKEN_PARTS the environment
 * names, in the source of its module as it is loaded.
 */
import { registerHooks } from 'node:module';
import { BROKEN_PARTS } from './broken-parts.ts';
import { BROKEN_RULES } from './broken-rules.ts';
import { BROKEN_SKEW } from './broken-skew.ts';
import { BROKEN_STANDBYS } from './broken-standbys.ts';

/** Name of the variable of the environment. */
export const BREAK = 'SLUICE_TEST_BREAK';

const broken = [...BROKEN_RULES, ...BROKEN_STANDBYS, ...BROKEN_SKEW, ...BROKEN_PARTS][Number(process.env[BREAK])];
if (broken === undefined) throw new Error(`${BREAK} names no rule`);
const { file, find, replace } = broken;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith(`/topology/${file}`)) return loaded;
    const source = loaded.source === undefined || loaded.source === null ? '' : text(loaded.source);
    const parts = source.split(find);
    if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} places to break, one is wanted: ${find}`);
    return { ...loaded, source: parts.join(replace) };
  },
});

function text(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  if (typeof source === 'string') return source;
  const bytes =
    source instanceof ArrayBuffer
      ? Buffer.from(source)
      : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  return bytes.toString('utf8');
}
