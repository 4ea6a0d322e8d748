/** Lanes that deliver nothing until an operator says so. */
import { broken, fine, type Judgement, relayCheck, risky } from './finding.ts';

export const laneStates = relayCheck('lane-states', 'lanes halted or paused', ({ status }) => {
  const stopped = status.lanes.flatMap(({ lane, state, why }): Judgement[] => {
    const about = `lane ${lane}`;
    const resume = `kafka-row-sender lane resume ${lane}`;
    if (state === 'halted')
      return [
        broken(about, `halted: ${why}`, `${resume}; it refuses while something disagrees, and says what to decide`),
      ];
    if (state === 'paused') return [risky(about, `paused: ${why}`, resume)];
    return [];
  });
  return stopped.length > 0 ? stopped : [fine('', `${status.lanes.length} lanes, all running`)];
});
