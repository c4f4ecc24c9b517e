/** docker-compose.yml as far as it can be tried without Docker. */
import assert from 'node:assert/strict';
import { glob, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DCLinter } from 'dclint';
import { parse } from 'yaml';
import { composeEnvironment, passwordIn } from '../../dev/supervisor/docker.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILE = join(ROOT, 'docker-compose.yml');

interface Service {
  readonly image?: string;
  readonly build?: unknown;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition?: string }>>;
  readonly healthcheck?: { readonly test?: unknown; readonly disable?: boolean };
  readonly deploy?: { readonly resources?: { readonly limits?: { readonly cpus?: string; readonly memory?: string } } };
  readonly restart?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

interface LintResult {
  readonly messages: readonly { readonly rule: string; readonly message: string }[];
}

/** Order is for readers to decide; a service of ours has an image's name and how to build it. */
const RULES_OF_TASTE = [
  'service-keys-order',
  'services-alphabetical-order',
  'service-dependencies-alphabetical-order',
  'service-ports-alphabetical-order',
  'top-level-properties-order',
  'no-build-and-image',
];

describe('docker-compose.yml', () => {
  let text = '';
  let compose: Compose;
  let folder = '';

  before(async () => {
    text = await readFile(FILE, 'utf8');
    compose = parse(text, { merge: true }) as Compose;
    folder = await mkdtemp(join(tmpdir(), 'sluice-compose-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function problems(content: string): Promise<string[]> {
    const file = join(folder, 'docker-compose.yml');
    await writeFile(file, content);
    const rules = Object.fromEntries(RULES_OF_TASTE.map((rule) => [rule, 0] as const));
    const linter = new DCLinter({ rules, quiet: false, debug: false, exclude: [] });
    const results = linter.lintFiles([file], false) as readonly LintResult[];
    return results.flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`));
  }

  test('keeps the schema of the Compose specification and its customs', async () => {
    assert.deepEqual(await problems(text), []);
  });

  test('what does not keep the schema is found', async () => {
    const broken = text.replace("test: ['CMD', 'mc', 'ready', 'local']", 'test: { command: mc }');
    assert.notEqual(broken, text);
    assert.match((await problems(broken)).join('\n'), /invalid-schema.*healthcheck/);
  });

  test('each service has a pinned image, a health check, limits, and comes back', () => {
    const names = Object.keys(compose.services);
    assert.ok(names.length >= 12, names.join());
    for (const [name, service] of Object.entries(compose.services)) {
      assert.match(service.image ?? '', /:[^:]*\d+\.\d+|:RELEASE\.\d{4}/, `${name}: image`);
      assert.ok(service.image?.endsWith(':latest') === false, name);
      const isChecked = service.healthcheck?.test !== undefined && service.healthcheck.disable !== true;
      assert.equal(isChecked, name !== 'simulator', `${name}: health check`);
      assert.ok(service.deploy?.resources?.limits?.memory !== undefined, `${name}: memory`);
      assert.ok(service.deploy.resources.limits.cpus !== undefined, `${name}: cpus`);
      assert.equal(service.restart, 'unless-stopped', name);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.equal(condition, 'service_healthy', `${name} on ${other}`);
        assert.ok(names.includes(other), `${name} on ${other}`);
      }
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':', 1);
        assert.ok(source.startsWith('./') || source in compose.volumes, `${name}: volume ${source}`);
      }
    }
  });

  test('ports are of 127.0.0.1 only', () => {
    const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    assert.ok(ports.length >= 8);
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
  });

  test('secrets are in .env only, which .env.example lists', async () => {
    const example = await readFile(join(ROOT, '.env.example'), 'utf8');
    const required = new Set([...text.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name = '']) => name));
    assert.ok(required.size >= 5);
    for (const name of required) assert.match(example, new RegExp(`^#?${name}=`, 'm'), name);
    for (const [service, { environment = {} }] of Object.entries(compose.services)) {
      for (const [name, value] of Object.entries(environment)) {
        if (!/PASSWORD|SECRET|KEY/.test(name) && !/:\/\/[^/]*:[^/]*@/.test(value)) continue;
        assert.match(value, /\$\{[A-Z_]+[:}]/, `${service}: ${name}`);
      }
    }
    const started = composeEnvironment('x');
    for (const name of required) assert.ok((started[name] ?? '') !== '', `--docker leaves out ${name}`);
  });

  test('the variables of our services are those that the code reads', async () => {
    const read = new Set<string>();
    for await (const file of glob('{bin,connectors,dashboard,dev,simulators}/**/*.ts', { cwd: ROOT })) {
      const source = await readFile(join(ROOT, file), 'utf8');
      for (const [, name = ''] of source.matchAll(/'(SLUICE_[A-Z_]+)'/g)) read.add(name);
    }
    const ours = Object.entries(compose.services).filter(([, { image }]) => image?.startsWith('sluice:') === true);
    assert.ok(ours.length >= 4);
    for (const [service, { environment = {}, command }] of ours) {
      for (const name of Object.keys(environment)) assert.ok(read.has(name), `${service}: ${name} is read nowhere`);
      await stat(join(ROOT, 'bin', 'commands', `${command?.[0] ?? ''}.ts`));
    }
  });

  test('npm start -- --docker keeps one password per run', async () => {
    const dir = join(folder, 'run');
    const password = passwordIn(dir);
    assert.match(password, /^[0-9a-f]{32}$/);
    assert.equal(passwordIn(dir), password);
    assert.equal((await stat(join(dir, 'docker-password'))).mode & 0o777, 0o600);
  });
});

test('the image holds every folder that a role imports from', async () => {
  const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  const ignore = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
  const copied = [...dockerfile.matchAll(/^COPY (\S+) \S+$/gm)].map(([, name = '']) => name);
  for (const folder of ['bin', 'connectors', 'dashboard', 'dev', 'processors', 'schemas', 'simulators', 'topology']) {
    assert.ok(copied.includes(folder), `${folder} is not copied`);
  }
  for (const name of copied) assert.ok(ignore.includes(`!${name}`), `${name} is ignored`);
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  assert.ok(dockerfile.includes(`FROM node:${dependencies['node']}-`), 'the image has another Node');
});
