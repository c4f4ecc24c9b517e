import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { javaCommand } from '../../../dev/parts/java.ts';
import { kafkaClassPath } from '../../../dev/parts/kafka.ts';

const CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const LIMIT_MS = 120_000;
/** It ends when nothing has come for so long, for it cannot be told to read to the end; on a busy machine nothing comes for longer. */
const IDLE_MS = [4_000, 15_000, 40_000];

/**
 * The values of a topic as Kafka's own console consumer reads them under read_committed: nothing of ours takes part. When fewer than `fewest` come, it is asked
 * again with more patience.
 */
export async function javaConsumer(brokers: string, topic: string, fewest: number): Promise<string[]> {
  let values: string[] = [];
  for (const idleMs of IDLE_MS) {
    values = await consume(brokers, topic, idleMs);
    if (values.length >= fewest) break;
  }
  return values;
}

async function consume(brokers: string, topic: string, idleMs: number): Promise<string[]> {
  const cacheDir = process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice');
  const { stdout } = await promisify(execFile)(
    javaCommand(),
    [
      '-Xmx128m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      kafkaClassPath(cacheDir),
      CONSUMER,
      ...optionsOf({
        'bootstrap-server': brokers,
        topic,
        'isolation-level': 'read_committed',
        'timeout-ms': String(idleMs),
      }),
      '--from-beginning',
    ],
    { timeout: LIMIT_MS, maxBuffer: 2 ** 26 },
  );
  return stdout.split('\n').filter((line) => line !== '');
}

function optionsOf(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}
