/** Two processes with one id fence each other in turn: nothing is doubled, and little is delivered. */
import { ENV_PREFIX } from '#config';
import { fine, type Judgement, relayCheck, risky } from './finding.ts';

/** One process may look again sooner when lanes change; two beat twice as often all the time. */
const TOO_OFTEN = 1.3;

export const instanceIds = relayCheck(
  'instance-ids',
  'heartbeats of each member, twice as many as one process makes',
  ({ beats }) => {
    const twice = beats
      .filter(({ beats: count, expected }) => count > expected * TOO_OFTEN)
      .map(
        ({ id, kind, beats: count, expected }): Judgement =>
          risky(
            `${kind} ${id}`,
            `${count} heartbeats where one process makes at most ${expected}: two processes seem to have this id, and fence each other`,
            `give each process its own ${ENV_PREFIX}INSTANCE_ID, or none: then it makes one up`,
          ),
      );
    return twice.length > 0 ? twice : [fine('', beats.length === 0 ? 'nobody is running' : `${beats.length} members`)];
  },
);
