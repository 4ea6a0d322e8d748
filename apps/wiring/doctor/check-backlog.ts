/** Rows that wait, and whether somebody is there to deliver them. */
import { livingOf } from '../judge-stalls.ts';
import { fine, relayCheck, risky } from './finding.ts';

const OLD_MS = 60_000;

export const backlog = relayCheck(
  'backlog',
  'age of the oldest undelivered row, and whether senders live',
  ({ status, beats }) => {
    const { rows, capped, oldestAgeMs } = status.backlog;
    const senders = beats.filter(({ kind }) => kind === 'sender').length;
    const says = `${rows}${capped ? ' or more' : ''} rows wait, ${senders} sender${senders === 1 ? ' lives' : 's live'}`;
    if (oldestAgeMs === null || oldestAgeMs < OLD_MS) return [fine('', says)];
    // A sender that Kafka does not answer has let its lanes go, and says itself what it waits for.
    const isWaiting = livingOf(status.members, 'waiting').size > 0;
    const mend =
      senders === 0 && !isWaiting
        ? 'start a sender: kafka-row-sender-sender'
        : "see kafka-row-sender status and the senders' logs";
    return [risky('', `${says}, the oldest for ${Math.round(oldestAgeMs / 1000)} s`, mend)];
  },
);
