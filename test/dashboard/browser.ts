/** A browser for tests, and what they ask of a page. */
import { type Browser, launch, type Page } from 'puppeteer-core';
import { findChromium } from '../../dev/tests/chromium.ts';

const found = await findChromium();

/** For the name of a test that cannot run, and for its `skip`. */
export const needs = 'missing' in found ? `needs Chromium: ${found.missing}` : undefined;

/** As root there is no sandbox, and a container has little shared memory. */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'];
const TIMEOUT_MS = 60_000;
/** Longer than anything that is waited for: a wait is one call. */
const PROTOCOL_MS = 240_000;

export async function startBrowser(): Promise<Browser> {
  if ('missing' in found) throw new Error(needs);
  const { executable, env } = found;
  return await launch({
    executablePath: executable,
    env: { ...process.env, ...env },
    args: ARGS,
    timeout: TIMEOUT_MS,
    protocolTimeout: PROTOCOL_MS,
  });
}

/** A page that looks at an address; `problems` is what the browser complained about. */
export async function openPage(
  browser: Browser,
  url: string,
  scheme: 'light' | 'dark' = 'light',
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.setViewport({ width: 1440, height: 900 });
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: scheme },
    // Pictures are drawn without a graphics card here.
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  // Not until nothing loads any more: the stream of events never ends.
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  return { page, problems };
}

/** The value of an expression in the page. */
export async function ask<T>(page: Page, expression: string): Promise<T> {
  return (await page.evaluate(expression)) as T;
}

/** Waits until an expression in the page is true. */
export async function becomes(page: Page, expression: string, timeout = TIMEOUT_MS): Promise<void> {
  try {
    await page.waitForFunction(expression, { polling: 100, timeout });
  } catch (cause) {
    const text = await ask<string>(page, 'document.body.innerText.slice(0, 3000)').catch(() => 'no page');
    throw new Error(`${expression}: not within ${timeout / 1_000} s; the page says:\n${text}`, { cause });
  }
}

/** The texts of all elements that a selector finds. */
export async function texts(page: Page, selector: string): Promise<string[]> {
  return await ask(page, `[...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => each.textContent)`);
}
