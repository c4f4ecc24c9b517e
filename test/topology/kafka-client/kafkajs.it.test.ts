import { pino } from 'pino';
import { createKafkaClient } from '#topology';
import { kafkaClientContract } from './contract.ts';

const brokers = process.env['SLUICE_TEST_KAFKA']?.split(',');
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

kafkaClientContract('kafkajs', () =>
  createKafkaClient({ brokers, clientId: 'contract', logger: pino({ level: process.env['SLUICE_LOG'] ?? 'silent' }) }),
);
