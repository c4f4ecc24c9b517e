import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ConfigError } from '../../errors.ts';

/** CommonJS's require, for kafkajs and its inner modules. */
export const requireKafkajs: NodeJS.Require = createRequire(import.meta.url);

const VERSION = '2.2.4';

/** Refuses any other kafkajs than the one whose modules the patches replace. ConfigError SLC_CONFIG_KAFKAJS. */
export function checkVersion(): void {
  const { version } = requireKafkajs('kafkajs/package.json') as { version: string };
  if (version === VERSION) return;
  throw new ConfigError('SLC_CONFIG_KAFKAJS', `kafkajs ${version} is installed; the driver mends ${VERSION}`, {
    hint: 'install the version in package-lock.json: npm ci',
  });
}

/**
 * Puts `make(original)` in the place of a module of kafkajs, before kafkajs loads it. `sha256` is that of the file that was read when the patch was
 * written (first 12 hex digits): a file that has changed may no longer have the defect. ConfigError SLC_CONFIG_KAFKAJS when it differs.
 */
export function replaceModule<T>(path: string, sha256: string, make: (original: T) => T): void {
  const file = requireKafkajs.resolve(`kafkajs/src/${path}`);
  const found = createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, sha256.length);
  if (found !== sha256) {
    throw new ConfigError(
      'SLC_CONFIG_KAFKAJS',
      `kafkajs/src/${path} is not the file that the driver mends (${found})`,
      {
        hint: 'install the version in package-lock.json: npm ci',
      },
    );
  }
  const original = requireKafkajs(file) as T;
  const module = requireKafkajs.cache[file];
  if (module !== undefined) module.exports = make(original);
}
