/** Commands that look into an installation which is not there, and those that are called wrongly: one error, in time, with a code. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { ConfigError, createKafkaClient, SluiceError } from '#topology';
import { openAdmin } from '../../bin/reachable.ts';
import { sluice } from './cli.ts';

const COMMANDS = [
  'topics --json',
  'inspect gold.a --json',
  'lag --json',
  'dlq list --json',
  'dlq retry --json',
  'late list --json',
  'erase user 42 --yes --json',
  'erase list --json',
  'replay all --into v2 --json',
  'verify --replay v2',
];
const WRONG = [
  ['inspect gold.a --from yesterday', /is neither an offset nor a time/],
  ['inspect gold.a --limit 0', /--limit 0 is no whole number from 1/],
  ['inspect', /one topic is needed/],
  ['topics --timeout soon', /--timeout soon is no whole number/],
  ['lag --stage gold.a', /Unknown option '--stage'/],
  ['late', /needs the word list/],
  ['dlq drop', /needs one of list, show, retry/],
  ['dlq show --offset x --stage gold.a', /is neither OFFSET nor PARTITION@OFFSET/],
  ['erase', /needs user <id>, or list/],
  ['erase user', /needs user <id>, or list/],
  ['erase list 42', /needs user <id>, or list/],
  ['erase user ada', /ada is no id of a user/],
  ['erase user 0', /0 is no id of a user/],
  ['erase user 9007199254740993', /is no id of a user/],
  ['describe gold.a --json --mermaid', /one of --json and --mermaid/],
] as const;

interface Command {
  run(args: string[]): Promise<number>;
}

process.env['SLUICE_KAFKA'] = '127.0.0.1:1';

/** Within this process, which is faster: what its error becomes there is tried once each. */
async function call(command: string): Promise<number> {
  const [name = '', ...args] = command.split(' ');
  const file = (await import(`../../bin/commands/${name}.ts`)) as Command;
  return await file.run(args);
}

describe('a broker that is away', () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket));
  before(() => new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve)));
  after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  for (const command of COMMANDS) {
    test(`refused: ${command}`, async () => {
      await assert.rejects(call(command), (error) => {
        assert.ok(error instanceof SluiceError && error.code === 'SLC_BROKER_AWAY', String(error));
        assert.match(error.message, /^Kafka cannot be reached: .*127\.0\.0\.1:1$/);
        return error.hint !== undefined;
      });
    });
  }

  test('refused, as a person sees it', async () => {
    const { code, out, err } = await sluice(['lag', '--json'], { SLUICE_KAFKA: '127.0.0.1:1' });
    assert.deepEqual([code, out], [1, ''], err);
    assert.match(err, /^sluice: Kafka cannot be reached: .*127\.0\.0\.1:1 \[SLC_BROKER_AWAY\]\n {2}is the broker up/);
  });

  test('silent: it takes connections and never answers', async () => {
    const address = silent.address();
    assert.ok(typeof address === 'object' && address !== null);
    const { code, out, err } = await sluice(['topics', '--json'], { SLUICE_KAFKA: `127.0.0.1:${address.port}` });
    assert.deepEqual([code, out], [1, ''], err);
    assert.match(err, /does not answer within \d s \[SLC_BROKER_AWAY\]/);
  });

  test('an address that is none', async () => {
    const client = createKafkaClient({ brokers: ['broker'], clientId: 'test', logger: pino({ level: 'silent' }) });
    await assert.rejects(openAdmin(client, ['broker']), /broker is no host:port/);
  });
});

describe('a wrong call', () => {
  for (const [command, problem] of WRONG) {
    test(command, async () => {
      await assert.rejects(call(command), (error) => {
        const isUsage =
          error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
        assert.ok(isUsage || error instanceof ConfigError, String(error));
        return problem.test(error.message);
      });
    });
  }

  test('as a person sees it', async () => {
    for (const [args, line] of [
      [['inspect'], /^sluice: one topic is needed \[SLC_CONFIG_OPTION\]\n {2}sluice topics lists them\n$/],
      [['lag', '--stage', 'x'], /^sluice: Unknown option '--stage'.*\n {2}sluice lag --help tells what there is\n$/s],
    ] as const) {
      const { code, out, err } = await sluice(args, {});
      assert.deepEqual([code, out], [2, ''], err);
      assert.match(err, line);
    }
  });
});
