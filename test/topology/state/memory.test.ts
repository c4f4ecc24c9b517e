import { memoryLab } from './store-labs.ts';
import { storeContract } from './stores.contract.ts';

storeContract('in memory', memoryLab, 100);
