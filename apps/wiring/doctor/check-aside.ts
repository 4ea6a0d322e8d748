/** Rows set aside: given up, in the way of their key, still being tried, or waiting for a topic that takes nothing. */
import { showWaitingTarget, whatToDo } from '../waiting-targets.ts';
import { fine, relayCheck, risky } from './finding.ts';

export const aside = relayCheck('aside', 'dead letters, and rows set aside', ({ status }) => {
  const { retrying, parked, dead } = status.aside;
  const judgements = [];
  if (dead > 0) {
    const mend = 'kafka-row-sender dead-letters list, then show, retry or drop';
    judgements.push(risky('', `${dead} dead letters: rows not delivered`, mend));
  }
  if (retrying + parked > 0) {
    const mend = 'kafka-row-sender dead-letters list --all says why; mend that, and they arrive by themselves';
    judgements.push(risky('', `${retrying} rows are being retried, ${parked} wait behind their keys`, mend));
  }
  for (const target of status.waiting) {
    const { rows, sinceMs, reason } = target;
    const says = `${showWaitingTarget(target)} takes nothing: ${rows} rows wait aside, the first for ${Math.round(sinceMs / 1_000)} s (${reason})`;
    judgements.push(risky('', says, whatToDo(target)));
  }
  return judgements.length > 0 ? judgements : [fine('', 'none')];
});
