/** Takes docs/dashboard.png of the dashboard that runs: node dev/pictures/dashboard.ts [address] [seconds to look] [light|dark] [file]. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from 'puppeteer-core';
import { ROOT } from '../supervisor/local-run.ts';
import { findChromium } from '../tests/chromium.ts';

const MAX_BYTES = 300_000;
const SIZE = { width: 1440, height: 1400 };

const [url = 'http://127.0.0.1:9080', seconds = '120', scheme = 'light', file = join(ROOT, 'docs', 'dashboard.png')] =
  process.argv.slice(2);
const found = await findChromium();
if ('missing' in found) throw new Error(found.missing);
const browser = await launch({
  executablePath: found.executable,
  env: { ...process.env, ...found.env },
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
try {
  const page = await browser.newPage();
  await page.setViewport(SIZE);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  // So that the lines of the last minutes are there.
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
  await page.screenshot({ path: file, clip: { x: 0, y: 0, ...SIZE } });
} finally {
  await browser.close();
}
const { size } = statSync(file);
process.stdout.write(`${file}: ${Math.round(size / 1_000)} kB\n`);
if (size > MAX_BYTES) throw new Error(`a picture of more than ${MAX_BYTES / 1_000} kB is too large for the repository`);
