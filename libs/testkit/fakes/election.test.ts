/** The fake keeps the contract of the real elections. */
import { systemClock } from '#runtime';
import { electionContract } from '../contracts/election.ts';
import { createFakeElections } from './election.ts';

const ttlMs = 2000;
const elections = createFakeElections({ ttlMs, clock: systemClock });

electionContract({
  name: 'fake',
  lapseMs: ttlMs,
  candidate: (doorbell) => elections.candidate(doorbell),
  leaderToKill: async (source) => {
    const leader = elections.candidate();
    await leader.tryAcquire(source);
    return { kill: () => leader.crash() };
  },
  service: {
    isLocked: async (source) => elections.isLocked(source),
    flush: async () => elections.flush(),
    steal: async (source) => elections.steal(source),
    setAway: async (away) => elections.setAway(away),
  },
});
