/** The demand that rows which nothing ails go on flowing while a fault lasts. */
import { systemClock } from '#runtime';
import { until } from '#testkit';
import { awaitDelivery, Finding } from './judge.ts';
import type { Scene } from './scene.ts';

export interface FlowPlan {
  /** For the message: which rows. */
  readonly what: string;
  /** Keys of the load's rows that nothing ails; all unless given. */
  readonly healthy?: (key: string) => boolean;
  /** Rows committed when the fault has been felt arrive so soon; later ones within `ONWARD_MS_MAX`. */
  readonly firstMsMax?: number;
  readonly onwardMsMax?: number;
}

/** As long as rows are committed before those by then are awaited: the fault is felt by then. */
const FELT_MS = 2_000;
const FIRST_MS_MAX = 60_000;
/** What flows, flows: nothing of the fault is paid again. */
const ONWARD_MS_MAX = 20_000;
const ROWS_MIN = 5;
const COMMITTED_DEADLINE_MS = 60_000;

async function pass(scene: Scene, { what }: FlowPlan, fits: (key: string) => boolean, msMax: number): Promise<number> {
  const { tally } = scene;
  const before = tally.committed(fits);
  await systemClock.sleep(FELT_MS);
  const grown = () => tally.committed(fits) >= before + ROWS_MIN;
  await until(`the application to commit ${what}`, grown, COMMITTED_DEADLINE_MS);
  const mark = tally.mark(fits);
  const startedMs = systemClock.nowMs();
  try {
    await awaitDelivery(scene, mark, msMax);
  } catch (error) {
    if (!(error instanceof Finding) || mark.missing === 0) throw error;
    throw new Finding(
      `${what} did not flow while the fault lasted: ${mark.missing} were not read within ${msMax} ms: ${mark.examples().join('; ')}`,
    );
  }
  return systemClock.nowMs() - startedMs;
}

/** Twice: rows that the fault met, and rows after them. Resolves to how long they were awaited. */
export async function assertFlow(scene: Scene, plan: FlowPlan): Promise<readonly number[]> {
  const fits = (key: string) => key.startsWith('account-') && (plan.healthy?.(key) ?? true);
  const first = await pass(scene, plan, fits, plan.firstMsMax ?? FIRST_MS_MAX);
  return [first, await pass(scene, plan, fits, plan.onwardMsMax ?? ONWARD_MS_MAX)];
}

/** For a detail of the log. */
export const flowed = (ms: readonly number[]): string =>
  `meanwhile rows flowed within ${ms.map((each) => (each / 1_000).toFixed(1)).join(' and ')} s`;

/** More harm, the flow, and what undoes all: undone also when nothing flows. */
export async function flowWhile(
  scene: Scene,
  plan: FlowPlan,
  heal: () => Promise<unknown>,
  harm: () => Promise<unknown> = async () => undefined,
): Promise<readonly number[]> {
  try {
    await harm();
    return await assertFlow(scene, plan);
  } finally {
    await heal();
  }
}
