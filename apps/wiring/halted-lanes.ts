/**
 * The lanes that this process found halted and says so in its health. Once the operator has resumed one, any sender may take it,
 * and only the lane's row tells the one that had halted it.
 */
import type { ProgressHealth } from '#observability';
import type { LaneRow } from '#outbox';

export interface HaltedLanes {
  halted(lane: number): void;
  /** It is ours again, or was given back. */
  forget(lane: number): void;
  /** Looks at the rows and forgets what does not stand halted any more. */
  look(listLanes: () => Promise<readonly LaneRow[]>): Promise<readonly LaneRow[]>;
}

const subjectOf = (lane: number): string => `lane ${lane}`;

export function createHaltedLanes(health: Pick<ProgressHealth, 'stuck' | 'forget'>): HaltedLanes {
  const halted = new Set<number>();
  const forget = (lane: number) => {
    halted.delete(lane);
    health.forget(subjectOf(lane));
  };
  return {
    halted: (lane) => {
      halted.add(lane);
      health.stuck(subjectOf(lane), 'halted');
    },
    forget,
    look: async (listLanes) => {
      // One that halts while the rows are being read may still run in them.
      const before = new Set(halted);
      const lanes = await listLanes();
      for (const { lane, state } of lanes) if (before.has(lane) && state !== 'halted') forget(lane);
      return lanes;
    },
  };
}
