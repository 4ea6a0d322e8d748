/** Are our tables there, in the version that this program needs? */
import { broken, databaseCheck, fine } from './finding.ts';

export const schema = databaseCheck('schema', "the relay's tables and their version", ({ schemaFault }, { config }) =>
  schemaFault === null
    ? [fine('', Object.values(config.tables).join(', '))]
    : [broken('', schemaFault.message, 'kafka-row-sender init')],
);
