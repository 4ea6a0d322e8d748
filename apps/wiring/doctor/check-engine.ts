/** Which server answers; the versions that are too old are refused before any check runs. */
import { databaseCheck, fine, risky } from './finding.ts';

export const engine = databaseCheck('engine', 'kind and version of the server', ({ server }) => {
  const { kind, name } = server.engine;
  if (kind === 'mariadb' || kind === 'mysql') return [fine('', name)];
  if (kind === 'unknown') {
    return [
      risky(
        '',
        `${name}: the relay uses the statements that most engines take, without limits on locks and idle connections`,
        'see gap mode below for what its locks are worth; MariaDB and MySQL are recognised under any name',
      ),
    ];
  }
  return [
    risky(
      '',
      `${name}: without a list of running transactions as InnoDB has it, a transaction open for longer than SOURCE_GAP_GRACE loses its rows`,
      'keep transactions shorter than SOURCE_GAP_GRACE, or raise it; MariaDB and MySQL have no such limit',
    ),
  ];
});
