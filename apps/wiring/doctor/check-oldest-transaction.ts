/** A transaction open for long holds back purge and keeps gaps open; in gap mode time it loses its rows. */
import { RelayError } from '#runtime';
import { broken, databaseCheck, fine, risky, unknown } from './finding.ts';

const LONG_MS = 60_000;

export const oldestTransaction = databaseCheck(
  'oldest-transaction',
  'age of the oldest open transaction',
  ({ server, sources }) => {
    const { seesTransactions, oldestTransaction: oldest } = server;
    if (!seesTransactions)
      return [unknown('', 'not shown to this user', "GRANT PROCESS ON *.* TO the relay's user, if wanted")];
    if (oldest === null) return [fine('', 'none is open')];
    const seconds = Math.round(oldest.ageMs / 1000);
    const mend = `look at it in information_schema.innodb_trx; KILL ${oldest.thread} ends it`;
    const late = sources.find(
      ({ tried }) => !(tried instanceof RelayError) && tried.proof.mode === 'time' && oldest.ageMs > tried.graceMs,
    );
    if (late !== undefined) {
      const says = `open for ${seconds} s, longer than the grace of source ${late.source.name}: rows it inserted there may be passed over`;
      return [broken('', says, mend)];
    }
    if (oldest.ageMs < LONG_MS) return [fine('', `open for ${seconds} s`)];
    return [risky('', `open for ${seconds} s: it holds back purge, and gaps of rows it inserted stay open`, mend)];
  },
);
