/** Does the server take changes? */
import { broken, databaseCheck, fine } from './finding.ts';

const SWITCHES = ['read_only', 'super_read_only', 'innodb_read_only'];

export const readOnly = databaseCheck('read-only', 'read_only and its kin', ({ server }) => {
  const on = SWITCHES.filter((name) => (server.variables.get(name) ?? 'OFF') !== 'OFF');
  if (on.length === 0) return [fine('', 'the server takes changes')];
  return [
    broken(
      '',
      `${on.join(', ')} is on: nothing can be moved or deleted`,
      'point DB_HOST to the primary, or SET GLOBAL read_only = OFF there',
    ),
  ];
});
