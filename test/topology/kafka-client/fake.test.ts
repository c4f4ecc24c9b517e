import { FakeKafka } from '#topology/testing';
import { kafkaClientContract } from './contract.ts';

const broker = new FakeKafka();

kafkaClientContract('FakeKafka', () => broker.client());
