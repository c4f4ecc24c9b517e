import { pino } from 'pino';
import { createKafkaClient, type KafkaClient } from '#topology';
import { kafkaClientContract } from './contract.ts';
import { groupsContract } from './groups.contract.ts';

const brokers = process.env['SLUICE_TEST_KAFKA']?.split(',');
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const makeClient = (): KafkaClient =>
  createKafkaClient({ brokers, clientId: 'contract', logger: pino({ level: process.env['SLUICE_LOG'] ?? 'silent' }) });

kafkaClientContract('kafkajs', makeClient);
groupsContract('kafkajs', makeClient);
