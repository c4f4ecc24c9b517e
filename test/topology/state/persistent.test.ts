import { DISK_CACHE_BYTES } from '../../../topology/state/state-disk.ts';
import { persistentLab } from './store-labs.ts';
import { storeContract } from './stores.contract.ts';

// A handful of entries fit.
storeContract('above a file', persistentLab(DISK_CACHE_BYTES + 4_000), 40);
