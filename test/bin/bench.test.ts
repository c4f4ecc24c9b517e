/** What `sluice bench` refuses before it starts anything, and what it tells about itself. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { help, run } from '../../bin/commands/bench.ts';

for (const [what, ...args] of [
  ['two benchmarks at once', '--latency', '--late'],
  ['one commit', '--compare', 'HEAD'],
  ['three commits', '--compare', 'a', 'b', 'c'],
  ['commits without --compare', '--late', 'HEAD'],
  ['two workloads to compare commits on', '--compare', '--workload', 'R1,R2', 'a', 'b'],
  ['no such workload', '--compare', '--workload', 'R9', 'a', 'b'],
  ['no runs', '--growth', '--runs', '0'],
  ['no workers', '--compare', '--workers', 'many', 'a', 'b'],
] as const) {
  test(`${what}: refused`, async () => {
    await assert.rejects(run([...args]), { code: 'SLC_BENCH_OPTION' });
  });
}

test('every benchmark of package.json is in the help, with its option', () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const options = Object.entries(manifest.scripts).flatMap(([name, command]) =>
    name.startsWith('bench:') ? [command.replace('node bin/sluice.js ', 'sluice ')] : [],
  );
  assert.ok(options.length >= 5, options.join(', '));
  for (const option of options) assert.ok(help.includes(option), option);
});
