/** Sources that no writer leads until an operator says so. */
import { howToGoOn } from '#outbox';
import { broken, fine, type Judgement, relayCheck } from './finding.ts';

export const sourceStates = relayCheck(
  'source-states',
  'sources halted until an operator accepts why',
  ({ watermarks }) => {
    const halted = watermarks.flatMap(({ source, state, cause, why }): Judgement[] =>
      state === 'halted' ? [broken(`source ${source}`, `halted: ${why}`, howToGoOn(source, cause))] : [],
    );
    return halted.length > 0 ? halted : [fine('', `${watermarks.length} sources, none halted`)];
  },
);
