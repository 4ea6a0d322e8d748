/** The doorbell of one process. */
import { createMemoryDoorbell } from '#doorbell';
import { doorbellContract } from '#testkit';

doorbellContract({
  name: 'memory',
  pair: async () => {
    const doorbell = createMemoryDoorbell();
    return [doorbell, doorbell];
  },
});
