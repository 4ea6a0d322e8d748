/** Which server answers; the versions that are too old are refused before any check runs. */
import { databaseCheck, fine, risky } from './finding.ts';

const KNOWN: ReadonlySet<string> = new Set(['mariadb', 'mysql']);

export const engine = databaseCheck('engine', 'kind and version of the server', ({ server }) => {
  const { kind, version } = server.engine;
  if (KNOWN.has(kind)) return [fine('', `${kind} ${version}`)];
  return [
    risky(
      '',
      `${kind} ${version}: without row locks that can be probed, a transaction open for longer than SOURCE_GAP_GRACE loses its rows`,
      'keep transactions shorter than SOURCE_GAP_GRACE, or raise it; MariaDB and MySQL have no such limit',
    ),
  ];
});
