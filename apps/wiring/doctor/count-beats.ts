/**
 * Counts heartbeats for a while: two processes with one id write one row, so that only its pace tells. Every member's row is
 * read again and again; a heartbeat in between shows as an age smaller than the one before.
 */

import type { Config } from '#config';
import type { Pool } from '#database';
import type { MemberStatus } from '#outbox';
import { listMembers } from '#outbox-storage';
import { systemClock } from '#runtime';
import { senderTickMs, WRITER_TICK_MS } from '../pace.ts';
import type { Beats } from './facts.ts';

/** Long enough that one process and two cannot be taken for each other. */
const TICKS = 3;
const LOOK_EVERY_MS = 100;
const WRITER_TTL_MS = 10_000;

const nameOf = ({ kind, id }: MemberStatus): string => `${kind} ${id}`;

/** Empty at once when nobody is alive. */
export async function countBeats(config: Config, pool: Pool): Promise<readonly Beats[]> {
  const tickOf = (kind: string) => (kind === 'writer' ? WRITER_TICK_MS : senderTickMs(config));
  const ttlOf = (kind: string) => (kind === 'writer' ? WRITER_TTL_MS : config.sender.laneLeaseMs);
  const members = (await listMembers(pool, config.tables)).filter(
    ({ kind, silentMs }) => kind !== 'waiting' && silentMs < ttlOf(kind),
  );
  if (members.length === 0) return [];
  const ages = new Map(members.map((member) => [nameOf(member), member.silentMs]));
  const beats = new Map<string, number>();
  const windowMs = TICKS * Math.max(...members.map(({ kind }) => tickOf(kind)));
  const startedMs = systemClock.nowMs();
  while (systemClock.nowMs() - startedMs < windowMs) {
    await systemClock.sleep(LOOK_EVERY_MS);
    for (const member of await listMembers(pool, config.tables)) {
      const name = nameOf(member);
      const before = ages.get(name);
      if (before === undefined) continue;
      if (member.silentMs < before) beats.set(name, (beats.get(name) ?? 0) + 1);
      ages.set(name, member.silentMs);
    }
  }
  const passedMs = systemClock.nowMs() - startedMs;
  return members.map((member) => ({
    id: member.id,
    kind: member.kind,
    beats: beats.get(nameOf(member)) ?? 0,
    expected: Math.floor(passedMs / tickOf(member.kind)) + 1,
  }));
}
