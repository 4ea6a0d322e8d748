/** Follows the load from its first row to the last one's delivery, drawing as it goes, and lets the misfortunes happen. */
import { systemClock } from '#runtime';
import type { Deployment, Load } from '#testkit';
import type { Fleet } from './fleet.ts';
import { KillPlan } from './kill-plan.ts';
import { look } from './look.ts';
import type { Screen } from './screen.ts';

export interface RelayOptions {
  readonly deployment: Deployment;
  readonly fleet: Fleet;
  readonly load: Load;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly target: number;
  readonly kill: boolean;
}

const LOOK_EVERY_MS = { terminal: 250, plain: 500 };
const DRAW_EVERY_MS = { terminal: 250, plain: 2_000 };
/** Nothing moves for that long although rows wait: the demo has failed, and says so instead of hanging. */
const STALL_MS = 90_000;

export async function relayAll(options: RelayOptions): Promise<void> {
  const { deployment, fleet, load, screen, signal, target } = options;
  const pace = process.stdout.isTTY ? 'terminal' : 'plain';
  const plan = new KillPlan(fleet, (text) => screen.note(text), options.kill ? undefined : []);
  const stall = new StallWatch();
  let fault: unknown = null;
  load.done.catch((error: unknown) => {
    fault = error;
  });
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawnRows = 0;
  for (;;) {
    const [seen] = await Promise.all([look(deployment, load.progress), fleet.scrape()]);
    if (signal.aborted) throw new Error('interrupted');
    if (fault !== null) throw fault;
    const [fallen] = fleet.fallen;
    if (fallen !== undefined) throw new Error(`${fallen.name} ended by itself:\n${fallen.app.output()}`);
    const nowMs = systemClock.nowMs();
    const done = load.progress.committedRows >= target && seen.moved >= target && seen.waiting === 0;
    const finished = done && plan.done;
    if (finished || nowMs - drawnMs >= DRAW_EVERY_MS[pace]) {
      const rate = Math.round(((seen.delivered - drawnRows) * 1_000) / Math.max(1, nowMs - drawnMs));
      screen.draw({ target, look: seen, load: load.progress, fleet, rate: Math.max(0, rate) });
      drawnMs = nowMs;
      drawnRows = seen.delivered;
    }
    if (finished) return;
    await plan.step(seen, target);
    stall.note(seen.delivered + seen.committed, nowMs);
    await systemClock.sleep(LOOK_EVERY_MS[pace], signal);
  }
}

class StallWatch {
  #rows = -1;
  #sinceMs = 0;

  note(rows: number, nowMs: number): void {
    if (rows !== this.#rows) {
      this.#rows = rows;
      this.#sinceMs = nowMs;
    }
    if (nowMs - this.#sinceMs > STALL_MS) throw new Error(`nothing moved for ${STALL_MS / 1_000} s`);
  }
}
