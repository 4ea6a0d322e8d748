/** The relay's sessions as the database server sees them. */
import type { Scene } from './scene.ts';

/** Ids of the connections of the relay's user. */
export async function relaySessions(scene: Scene): Promise<readonly number[]> {
  const found = await scene.ask<{ ID: number }>('SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?', [
    scene.relayUser,
  ]);
  return found.map(({ ID }) => Number(ID));
}

/** How many. */
export async function killSessions(scene: Scene, what: 'CONNECTION' | 'QUERY' = 'CONNECTION'): Promise<number> {
  const found = await relaySessions(scene);
  // One that has just gone by itself is no fault.
  for (const id of found) await scene.deployment.query(`KILL ${what} ${id}`).catch(() => undefined);
  return found.length;
}
