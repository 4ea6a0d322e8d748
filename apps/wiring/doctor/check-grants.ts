/** Rights on our tables, tried by statements that touch no row. */
import { quoteIdentifier } from '#database';
import { broken, databaseCheck, fine, unknown } from './finding.ts';

export const grants = databaseCheck(
  'grants',
  "this user's rights on the relay's tables",
  ({ missingGrants }, { config }) => {
    if (missingGrants === null) return [unknown('', 'not tried: the tables are not there or cannot be read')];
    if (missingGrants.length === 0) return [fine('', 'writer, sender and commands may do what they do')];
    const { database, user } = config.db;
    return missingGrants.map(({ table, privileges }) =>
      broken(
        `table ${table}`,
        `${privileges.join(', ')} denied`,
        `GRANT ${privileges.join(', ')} ON ${quoteIdentifier(database)}.${quoteIdentifier(table)} TO '${user.replaceAll("'", "''")}'@'%'`,
      ),
    );
  },
);
