/** READ COMMITTED for our sessions, and a binary log that takes what runs under it. */
import { broken, databaseCheck, fine } from './finding.ts';

export const isolation = databaseCheck('isolation', 'isolation of our sessions, and binlog_format', ({ server }) => {
  const { variables, engine } = server;
  if (variables.get('log_bin') === 'ON' && variables.get('binlog_format') === 'STATEMENT') {
    return [
      broken(
        '',
        'binlog_format is STATEMENT: InnoDB refuses every change at READ COMMITTED (error 1665)',
        "SET GLOBAL binlog_format = 'ROW', and in the server's configuration",
      ),
    ];
  }
  const found = variables.get('transaction_isolation') ?? variables.get('tx_isolation');
  if (found === undefined || engine.kind === 'singlestore') return [fine('', 'as the engine has it')];
  if (found === 'READ-COMMITTED') return [fine('', found)];
  return [
    broken(
      '',
      `our session has ${found} although it asked for READ COMMITTED: a proxy in between changes it`,
      'connect without the proxy, or let it pass SET SESSION TRANSACTION ISOLATION LEVEL',
    ),
  ];
});
