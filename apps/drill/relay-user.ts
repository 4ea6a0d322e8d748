/** The database user of the drilled processes: with the documented grants and no more, so that the drill proves these, too. */
import type { Deployment } from '#testkit';
import { SECRETS } from './servers.ts';

const GRANTS: Readonly<Record<string, string>> = {
  kafka_row_sender_outbox: 'SELECT, INSERT, DELETE',
  kafka_row_sender_watermark: 'SELECT, INSERT, UPDATE',
  kafka_row_sender_lane: 'SELECT, INSERT, UPDATE',
  kafka_row_sender_member: 'SELECT, INSERT, UPDATE, DELETE',
  kafka_row_sender_dead_letter: 'SELECT, INSERT, UPDATE, DELETE',
  kafka_row_sender_topic: 'SELECT, INSERT, UPDATE',
  kafka_row_sender_gap: 'SELECT, INSERT, UPDATE, DELETE',
  kafka_row_sender_source_facts: 'SELECT, INSERT, UPDATE',
  kafka_row_sender_canary: 'SELECT, INSERT',
};

/** The user's name. The tables must be there already. */
export async function createRelayUser(deployment: Deployment, table: string): Promise<string> {
  // Unique as the database is, and not longer than a user's name may be.
  const user = `r_${deployment.name}`.slice(-60);
  await deployment.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${SECRETS.database}'`);
  const grant = (rights: string, name: string) =>
    deployment.query(`GRANT ${rights} ON \`${deployment.database.name}\`.\`${name}\` TO '${user}'@'%'`);
  await grant('SELECT', table);
  // Sees the running transactions, which settle missing ids; a right on the whole server only.
  await deployment.query(`GRANT PROCESS ON *.* TO '${user}'@'%'`);
  for (const [name, rights] of Object.entries(GRANTS)) await grant(rights, name);
  return user;
}
