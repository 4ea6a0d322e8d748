/**
 * A round: a fresh deployment under load, one fault after another (now and then two at once), after each the wait until
 * everything committed before its end has arrived, and at last the check of everything.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#runtime';
import type { HistoryWriter } from '#testkit';
import type { Chance } from './chance.ts';
import type { Fault, Injection } from './fault.ts';
import type { FaultBag } from './fault-bag.ts';
import { assertCalm, assertEnd, assertSound, awaitDelivery, Finding, measure, type Outage } from './judge.ts';
import { openScene, type Scene } from './scene.ts';
import type { Stage } from './stages/stage.ts';
import type { Statistics } from './statistics.ts';
import { writeTable } from './write-table.ts';

export interface RoundOptions {
  readonly number: number;
  readonly seed: number;
  readonly chance: Chance;
  readonly bag: Pick<FaultBag, 'next'>;
  readonly stage: Stage;
  readonly rowsPerSecond: number;
  /** Monotonic; no fault is begun after it. */
  readonly untilMs: number;
  readonly logs: string;
  readonly statistics: Statistics;
  readonly history?: HistoryWriter | null;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

export interface RoundFailure {
  /** The fault under way, or when none was. */
  readonly during: string;
  readonly why: string;
  readonly logs: string;
}

const BEGIN_DEADLINE_MS = 300_000;
/** What is stuck is stuck for ever; a machine busy with other things is only slow. */
const RECOVER_MS_MAX = 180_000;
/** Recovery is that of the rows committed up to this long after the fault's end, so that they meet what it left behind. */
const AFTERMATH_MS = 500;
const OVERLAP_SHARE = 0.15;
const REST_MS_MAX = 1_500;

/** Null when all was well. Never rejects for what the relay did. */
export async function runRound(options: RoundOptions): Promise<RoundFailure | null> {
  const { stage, number, seed, chance, rowsPerSecond, say, statistics } = options;
  const logs = join(options.logs, `round-${number}`);
  mkdirSync(logs, { recursive: true });
  statistics.figures.rounds += 1;
  const { servers } = stage;
  const history = options.history ?? null;
  const own = { servers, name: 'drill', seed: seed + number, chance, rowsPerSecond, logs, say, history };
  const state = { during: 'the beginning of the round' };
  let scene: Scene;
  try {
    scene = await openScene({ ...stage.scene, ...own });
  } catch (error) {
    return { ...state, why: error instanceof Error ? error.message : String(error), logs };
  }
  try {
    await begin(scene);
    await injectAll(options, scene, state);
    state.during = 'the check of everything at the end of the round';
    const { rows } = await assertEnd(scene);
    statistics.figures.rows += rows;
    statistics.figures.cleanRounds += 1;
    say(`round ${number} clean: ${rows} rows committed, each read once and in order, twice`);
    return null;
  } catch (thrown) {
    if (options.signal.aborted) return null;
    const why = thrown instanceof Error ? (thrown instanceof Finding ? thrown.message : thrown.stack) : String(thrown);
    await writeState(scene, logs, `${state.during}: ${why}`);
    return { during: state.during, why: why ?? 'unknown', logs };
  } finally {
    if (history !== null)
      await writeTable(scene, history).catch((error: unknown) => say(`no history of rows: ${error}`));
    await scene.close().catch((error: unknown) => say(`cleaning up failed: ${error}`));
  }
}

async function begin(scene: Scene): Promise<void> {
  await awaitDelivery(scene, scene.tally.mark(), BEGIN_DEADLINE_MS);
  await assertCalm(scene, []);
  await awaitDelivery(scene, scene.tally.mark(), BEGIN_DEADLINE_MS);
}

async function injectAll(options: RoundOptions, scene: Scene, state: { during: string }): Promise<void> {
  const { bag, chance, untilMs, signal, statistics, say } = options;
  const { faultsMax } = options.stage;
  const outages: Outage[] = [];
  for (let count = 0; count < faultsMax && systemClock.nowMs() < untilMs && !signal.aborted; count += 1) {
    const faults = bag.next(chance.happens(OVERLAP_SHARE));
    state.during = faults.map(({ name }) => name).join(' + ');
    const { arrived, doubled, reordered } = scene.tally.figures;
    let recoveredMs: number | null = null;
    let injections: readonly Injection[] = [];
    try {
      const done = await injectOnce(scene, faults, outages);
      recoveredMs = done.recoveredMs;
      injections = done.injections;
      say(`${state.during} (${done.detail}): recovered in ${(recoveredMs / 1_000).toFixed(1)} s`);
      assertSound(scene);
      await assertCalm(scene, outages);
      statistics.used(measure(scene));
    } finally {
      const after = scene.tally.figures;
      for (const [index, { name }] of faults.entries()) {
        const figures = statistics.of(name);
        figures.injected += 1;
        figures.kills += injections[index]?.kills ?? 0;
        figures.flowsMs.push(...(injections[index]?.flowedMs ?? []));
        figures.delivered += after.arrived - arrived;
        figures.doubled += after.doubled - doubled;
        figures.reordered += after.reordered - reordered;
        if (recoveredMs !== null && faults.length === 1) figures.recoveriesMs.push(recoveredMs);
        if (recoveredMs === null) {
          figures.failures += 1;
          figures.lost += scene.tally.mark().missing;
        }
      }
      if (faults.length > 1) statistics.figures.overlaps += 1;
    }
    await systemClock.sleep(chance.integer(0, REST_MS_MAX));
  }
}

interface Done {
  readonly detail: string;
  readonly recoveredMs: number;
  readonly injections: readonly Injection[];
}

async function injectOnce(scene: Scene, faults: readonly Fault[], outages: Outage[]): Promise<Done> {
  const outage: Outage = {
    fromMs: systemClock.nowMs(),
    untilMs: Number.POSITIVE_INFINITY,
    startMayFail: faults.some(({ startMayFail }) => startMayFail === true),
    mayEndWith: faults.flatMap(({ mayEndWith }) => (mayEndWith === undefined ? [] : [mayEndWith])),
  };
  outages.push(outage);
  const injections = await Promise.all(faults.map((fault) => act(scene, fault)));
  const endedMs = systemClock.nowMs();
  outage.untilMs = endedMs;
  await systemClock.sleep(AFTERMATH_MS);
  await awaitDelivery(scene, scene.tally.mark(), RECOVER_MS_MAX);
  return {
    detail: injections.map(({ detail }) => detail).join('; '),
    recoveredMs: systemClock.nowMs() - endedMs,
    injections,
  };
}

async function act(scene: Scene, fault: Fault): Promise<Injection> {
  const injection = await fault.inject(scene);
  try {
    if (injection.holdMs !== undefined) await systemClock.sleep(injection.holdMs);
  } finally {
    await injection.heal?.();
  }
  return injection;
}

/** What the tables say, beside the logs: most findings are read from it. */
async function writeState(scene: Scene, logs: string, why: string): Promise<void> {
  const parts = [why];
  for (const table of ['watermark', 'lane', 'member', 'topic', 'dead_letter'] as const) {
    const columns = table === 'dead_letter' ? 'id, lane, state, attempts, error, due_at' : '*';
    const rows = await scene
      .ask(`SELECT ${columns} FROM kafka_row_sender_${table} LIMIT 2000`)
      .catch((error: unknown) => [String(error)]);
    parts.push(`\n${table}\n${rows.map((row) => JSON.stringify(row)).join('\n')}`);
  }
  const outbox = await scene
    .ask(
      'SELECT id DIV (1 << 43) AS lane, COUNT(*) AS `rows`, MIN(id), MAX(id), MIN(created_at) FROM kafka_row_sender_outbox GROUP BY lane',
    )
    .catch((error: unknown) => [String(error)]);
  parts.push(`\noutbox by lane\n${outbox.map((row) => JSON.stringify(row)).join('\n')}`);
  const usages = scene.slots.map((slot) => JSON.stringify({ slot: slot.name, running: slot.running, ...slot.usage() }));
  parts.push(`\nprocesses\n${usages.join('\n')}`);
  writeFileSync(join(logs, 'state.txt'), `${parts.join('\n')}\n`);
}
