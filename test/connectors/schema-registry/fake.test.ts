import { FakeKafka } from '#topology/testing';
import { registryApi } from './api.ts';

const broker = new FakeKafka();

registryApi('FakeKafka', () => broker.client());
