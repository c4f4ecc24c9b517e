/** A capture in a process of its own, to be killed. Options as JSON in the first argument. */
import { createKafkaClient } from '#topology';
import { createMysqlCdc, type MysqlCdcOptions } from '../../../connectors/mysql-cdc/index.ts';

const { brokers, ...options } = JSON.parse(process.argv[2] ?? '{}') as Omit<MysqlCdcOptions, 'kafka' | 'logger'> & {
  brokers: string[];
};
const say = (level: string) => (fields: object, message: string) => {
  if (process.env['SLUICE_TEST_LOG'] !== undefined) console.error(process.pid, level, message, JSON.stringify(fields));
};
const logger = { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') };
const kafka = createKafkaClient({ brokers, clientId: 'cdc-test', logger });
const capture = createMysqlCdc({
  ...options,
  kafka,
  logger,
  onFatal: (error) => {
    process.send?.({ type: 'fatal', name: error.name, message: error.message });
    process.exit(1);
  },
});
setInterval(() => process.send?.({ type: 'stats', ...capture.stats() }), 20);
process.once('SIGTERM', () => {
  void capture.stop().then(async () => {
    await kafka.close();
    process.exit(0);
  });
});
capture.start().catch((error: unknown) => {
  process.send?.({ type: 'fatal', message: String(error) });
  process.exit(1);
});
