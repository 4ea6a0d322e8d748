/** The oracles: after each fault what must have come right again, and at a round's end everything, from the beginning. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#runtime';
import type { Ledger } from '#testkit';
import { readAgain } from './follow-topic.ts';
import type { Scene } from './scene.ts';
import { SECRETS } from './servers.ts';
import type { Fall, Usage } from './slot.ts';
import type { Mark } from './tally.ts';

/** A stretch of time in which processes may end by themselves, as a fault says. */
export interface Outage {
  readonly fromMs: number;
  untilMs: number;
  /** A process that starts may find a server away. */
  readonly startMayFail: boolean;
  /** Exit codes that any process may end with. */
  readonly mayEndWith: readonly number[];
}

/** What is not as it must be. The round is over. */
export class Finding extends Error {}

const LOOK_EVERY_MS = 100;
const CALM_DEADLINE_MS = 240_000;
/** A process that began while a server was away may end this long after it came back. */
const OUTAGE_SLACK_MS = 15_000;
const EXIT_UNREACHABLE = 3;
const RSS_MB_MAX = 320;
const DESCRIPTORS_MAX = 120;
const STOP_DEADLINE_MS = 60_000;
const DRAIN_DEADLINE_MS = 240_000;
/** Bits of payload and secrets. */
const FORBIDDEN: readonly [string, RegExp][] = [
  ['a secret', new RegExp(Object.values(SECRETS).join('|'))],
  ['a row', /account-\d+-\d+|n{20}|L{20}/],
];

async function eventually(what: string, look: () => Promise<string | null>, deadlineMs: number): Promise<void> {
  const endMs = systemClock.nowMs() + deadlineMs;
  for (;;) {
    const why = await look();
    if (why === null) return;
    if (systemClock.nowMs() > endMs) throw new Finding(`${what} within ${deadlineMs} ms: ${why}`);
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}

/** Resolves when every row of the mark was read. */
export async function awaitDelivery(scene: Scene, mark: Mark, deadlineMs: number): Promise<void> {
  const late = new AbortController();
  const gaveUp = systemClock.sleep(deadlineMs, late.signal).then(() => 'late' as const);
  const outcome = await Promise.race([mark.done.then(() => 'done' as const), gaveUp]);
  late.abort();
  if (outcome === 'done') return;
  const { fault } = scene.reader;
  if (fault !== null) throw new Finding(`the reader ended: ${fault.message}`);
  throw new Finding(
    `${mark.missing} rows committed before the fault's end were not read ${deadlineMs} ms after it: ${mark.examples().join('; ')}`,
  );
}

/** Nothing doubled or out of order so far, the load and the reader run. */
export function assertSound(scene: Scene): void {
  const { doubled, reordered, misplaced } = scene.tally.figures;
  if (doubled + reordered + misplaced > 0) {
    const counts = `${doubled} rows doubled, ${reordered} out of order, ${misplaced} in a strange partition`;
    throw new Finding(`${counts}: ${scene.tally.examples.join('; ')}`);
  }
  const { fault } = scene.reader;
  if (fault !== null) throw new Finding(`the reader ended: ${fault.message}`);
}

/** Resolves when the outbox holds no row from before a moment, by the monotonic clock. */
export async function awaitDeletion(scene: Scene, sinceMs: number, deadlineMs: number): Promise<void> {
  await eventually(
    'delivered rows deleted',
    async () => {
      const passedMs = Math.ceil(systemClock.nowMs() - sinceMs);
      const [row] = await scene.ask<{ old: number }>(
        'SELECT COUNT(*) AS old FROM kafka_row_sender_outbox WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND',
        [(passedMs + 1_000) * 1_000],
      );
      return Number(row?.old) === 0 ? null : `${row?.old} rows from before are in the outbox`;
    },
    deadlineMs,
  );
}

/** All processes run and say they are healthy, no lane is halted, nothing old is left in the outbox or aside, nobody fell. */
export async function assertCalm(scene: Scene, outages: readonly Outage[]): Promise<void> {
  const sinceMs = systemClock.nowMs();
  await eventually(
    'every process ready and healthy',
    async () => {
      const unready = scene.slots.find((slot) => !slot.ready);
      if (unready !== undefined) return `${unready.name} is not ready`;
      const answers = await Promise.all(scene.slots.map((slot) => slot.health()));
      return answers.find((answer) => answer !== 'ok') ?? null;
    },
    CALM_DEADLINE_MS,
  );
  await awaitDeletion(scene, sinceMs, CALM_DEADLINE_MS);
  await eventually(
    'rows set aside delivered',
    async () => {
      const [row] = await scene.ask<{ aside: number }>(
        "SELECT COUNT(*) AS aside FROM kafka_row_sender_dead_letter WHERE state <> 'dead' AND first_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND",
        [Math.ceil(systemClock.nowMs() - sinceMs + 1_000) * 1_000],
      );
      return Number(row?.aside) === 0 ? null : `${row?.aside} rows from before are aside`;
    },
    CALM_DEADLINE_MS,
  );
  const halted = await scene.ask<{ lane: number; why: string }>(
    "SELECT lane, why FROM kafka_row_sender_lane WHERE state <> 'running'",
  );
  if (halted.length > 0) throw new Finding(`lane ${halted[0]?.lane} is halted: ${halted[0]?.why}`);
  assertNobodyFell(scene, outages);
}

function assertNobodyFell(scene: Scene, outages: readonly Outage[]): void {
  const excused = ({ code, wasReady, atMs }: Fall) =>
    outages
      .filter(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + OUTAGE_SLACK_MS)
      .some(
        ({ startMayFail, mayEndWith }) =>
          (startMayFail && !wasReady && code === EXIT_UNREACHABLE) || mayEndWith.includes(code ?? -1),
      );
  const fall = scene.slots.flatMap((slot) => slot.falls).find((each) => !excused(each));
  if (fall === undefined) return;
  throw new Finding(`${fall.process} ended by itself with ${fall.code ?? fall.signal}:\n${fall.output}`);
}

/** What each process uses now; throws when one uses too much. */
export function measure(scene: Scene): readonly Usage[] {
  const usages = scene.slots.map((slot) => slot.usage()).filter((usage) => usage !== null);
  for (const { process, rssMb, descriptors, ageMs } of usages) {
    const age = `${Math.round(ageMs / 1_000)} s old`;
    if (rssMb > RSS_MB_MAX) throw new Finding(`${process}, ${age}, has ${Math.round(rssMb)} MB of memory`);
    if (descriptors > DESCRIPTORS_MAX) throw new Finding(`${process}, ${age}, has ${descriptors} descriptors open`);
  }
  return usages;
}

/** The load ends, everything is delivered, `verify` and a reading from the beginning agree, every process ends with 0. */
export async function assertEnd(scene: Scene): Promise<{ readonly rows: number }> {
  const { tally, load } = scene;
  const ledger = await load.stop();
  await awaitDelivery(scene, tally.mark(), DRAIN_DEADLINE_MS);
  assertSound(scene);
  const { uncommitted } = tally;
  if (uncommitted.length > 0) throw new Finding(`rows arrived that nobody committed: ${uncommitted.slice(0, 5)}`);
  await eventually(
    'outbox empty',
    async () => {
      const left = await scene.outboxRows();
      return left === 0 ? null : `${left} rows are left`;
    },
    CALM_DEADLINE_MS,
  );
  await scene.reader.stop();
  if (!scene.historyGone) await assertHistory(scene, ledger);
  const exits = await Promise.all(
    scene.slots.map((slot) => {
      slot.retire();
      return slot.terminate(STOP_DEADLINE_MS);
    }),
  );
  for (const [index, exit] of exits.entries()) {
    if (exit.code === 0) continue;
    const slot = scene.slots[index];
    throw new Finding(`${slot?.name} ended with ${exit.code} on SIGTERM at the end:\n${slot?.output()}`);
  }
  assertSilent(scene.logs);
  return { rows: ledger.rows };
}

/** The topics, read from their beginning by the drill and by `verify`. */
async function assertHistory({ deployment, topics }: Scene, ledger: Ledger): Promise<void> {
  const read = await readAgain(deployment.env, topics, ledger);
  const wrong = read.missing + read.duplicated + read.outOfOrder + read.uncommitted;
  if (wrong > 0) throw new Finding(`read from the beginning: ${JSON.stringify(read)}`);
  const { code, output } = await deployment.cli('verify', '--wait', '60');
  if (code !== 0) throw new Finding(`verify ended with ${code}:\n${output}`);
}

/** No secret and nothing of a row in any log. */
export function assertSilent(logs: string): void {
  for (const file of readdirSync(logs)) {
    const text = readFileSync(join(logs, file), 'utf8');
    for (const [what, pattern] of FORBIDDEN) {
      const at = text.search(pattern);
      if (at >= 0)
        throw new Finding(`${join(logs, file)} holds ${what}: ${text.slice(Math.max(0, at - 200), at + 50)}`);
    }
  }
}
