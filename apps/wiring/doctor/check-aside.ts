/** Rows that Kafka refused: given up, in the way of their key, or still being tried. */
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
  return judgements.length > 0 ? judgements : [fine('', 'none')];
});
