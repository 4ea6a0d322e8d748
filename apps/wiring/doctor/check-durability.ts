/** Does a commit outlive a crash of the machine? What was delivered and then forgotten makes Kafka newer than the database. */
import { databaseCheck, fine, risky, unknown } from './finding.ts';

export const durability = databaseCheck('durability', 'innodb_flush_log_at_trx_commit', ({ server }) => {
  const value = server.variables.get('innodb_flush_log_at_trx_commit');
  if (value === undefined) return [unknown('', 'the engine has no such setting')];
  // MariaDB's 3 flushes more than 1 does.
  if (value === '1' || value === '3') return [fine('', `innodb_flush_log_at_trx_commit ${value}`)];
  return [
    risky(
      '',
      `innodb_flush_log_at_trx_commit is ${value}: a crash may lose the last second of commits, and lanes whose rows are in Kafka already halt`,
      'SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in the configuration',
    ),
  ];
});
