/** Rows that do not move, with the causes that health, metrics and the log name. */
import { STALL_CAUSES, type Stall, whyStanding } from '#runtime';
import { broken, fine, relayCheck, risky } from './finding.ts';

/** Where nothing runs, or something was stopped on purpose, nothing is broken; what a process that lives cannot move is. */
const isBroken = ({ part, cause }: Stall): boolean =>
  part === 'sender' || (part.startsWith('source ') && cause !== 'no-leader' && cause !== 'source-halted');

export const stalls = relayCheck('stalls', 'rows that wait and do not move, and the cause', ({ status }) =>
  status.stalls.length === 0
    ? [fine('', 'rows move, or none waits')]
    : status.stalls.map((stall) =>
        (isBroken(stall) ? broken : risky)(stall.part, whyStanding(stall), STALL_CAUSES[stall.cause].todo),
      ),
);
