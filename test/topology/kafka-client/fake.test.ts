import { FakeKafka } from '#topology/testing';
import { kafkaClientContract } from './contract.ts';
import { groupsContract } from './groups.contract.ts';

const broker = new FakeKafka();

kafkaClientContract('FakeKafka', () => broker.client());
groupsContract('FakeKafka', () => broker.client());
