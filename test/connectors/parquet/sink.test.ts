import { sinkContract } from '../sink.contract.ts';
import { startHarness } from './harness.ts';

sinkContract('The lake', startHarness);
sinkContract('The lake written by parquetjs-lite', () => startHarness({ writer: 'parquetjs-lite' }));
