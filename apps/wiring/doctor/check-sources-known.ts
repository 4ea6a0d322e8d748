/** A source of our tables that the settings no longer name is led by nobody. */
import { fine, type Judgement, relayCheck, risky } from './finding.ts';

export const sourcesKnown = relayCheck(
  'sources-known',
  'sources in the tables that the settings do not name',
  ({ status }) => {
    const left = status.sources
      .filter(({ configured }) => !configured)
      .map(
        ({ name }): Judgement =>
          risky(
            `source ${name}`,
            'is in the tables but not in these settings: no writer with them moves its rows',
            'give it back to the settings under this name; ignore this where another writer has it',
          ),
      );
    return left.length > 0 ? left : [fine('', 'none')];
  },
);
