/** The fake keeps the contract of the real doorbells. */
import { doorbellContract } from '../contracts/doorbell.ts';
import { createFakeDoorbells } from './doorbell.ts';

doorbellContract({
  name: 'fake',
  pair: async () => {
    const doorbells = createFakeDoorbells();
    return [doorbells.doorbell(), doorbells.doorbell()];
  },
});
