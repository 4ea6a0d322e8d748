/** Deleted rows that InnoDB has not purged yet: every read of the outbox near them walks them again. */
import { grantProcess } from './check-oldest-transaction.ts';
import { databaseCheck, fine, risky, unknown } from './finding.ts';

const LONG = 100_000;

export const history = databaseCheck('history', 'InnoDB history list length', ({ server, sources }) => {
  const { historyLength } = server;
  if (historyLength === null) return [unknown('', 'not shown to this user', grantProcess(sources))];
  if (historyLength < LONG) return [fine('', `${historyLength} versions wait for purge`)];
  return [
    risky(
      '',
      `${historyLength} versions of rows wait for purge: reads slow down, and the outbox grows on disk`,
      'end the oldest transaction (see oldest-transaction), then let purge catch up; innodb_purge_threads helps',
    ),
  ];
});
