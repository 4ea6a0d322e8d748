/**
 * Wall clocks that jump: of a process, of MariaDB, whose clock all leases go by, of Kafka, which judges the time of records.
 * That of Redis is among the faults of Redis.
 */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import { awaitDelivery } from '../judge.ts';
import type { Scene } from '../scene.ts';
import { CLOCK_READ_MS } from '../stages/clocks.ts';

/** More than the hour by which brokers let records come from the future. */
const JUMP_S = 2 * 3_600;
const HOLD_MS = [4_000, 10_000] as const;
const STROBES = 8;
/** Rows go on while a process's clock is wrong: those committed so long after the jump arrive before its end. */
const FELT_MS = 1_500;
const ONWARD_DEADLINE_MS = 120_000;

function clocksOf({ servers }: Scene): NonNullable<typeof servers.clocks> {
  if (servers.clocks === undefined) throw new Error('the clocks of this stage cannot be set');
  return servers.clocks;
}

/** Wrong by so much for some seconds; a process is killed right after both jumps, so that somebody has to take over. */
async function jump(scene: Scene, names: readonly string[], seconds: number, kill = false): Promise<Injection> {
  const clocks = clocksOf(scene);
  const set = async (to: number) => {
    for (const name of names) clocks.set(name, to);
    await systemClock.sleep(CLOCK_READ_MS);
    if (kill) await scene.chance.pick([...scene.slots]).kill();
  };
  await set(seconds);
  const holdMs = scene.chance.integer(...HOLD_MS);
  const detail = `${names.join(' ')} by ${seconds} s for ${(holdMs / 1_000).toFixed(1)} s`;
  return { detail, kills: kill ? 2 : 0, holdMs, heal: () => set(0) };
}

/** Not the hour that brokers allow, nor anything else of it, holds up a row. */
async function jumpAndGoOn(scene: Scene, name: string, seconds: number, kill = false): Promise<Injection> {
  const injection = await jump(scene, [name], seconds, kill);
  try {
    await systemClock.sleep(FELT_MS);
    await awaitDelivery(scene, scene.tally.mark(), ONWARD_DEADLINE_MS);
  } catch (error) {
    await injection.heal?.();
    throw error;
  }
  return injection;
}

async function strobe(scene: Scene): Promise<Injection> {
  const clocks = clocksOf(scene);
  const names = [...scene.slots.map(({ name }) => name), 'database', 'kafka'];
  for (let time = 0; time < STROBES; time += 1) {
    for (const name of names) clocks.set(name, scene.chance.integer(-JUMP_S, JUMP_S));
    await systemClock.sleep(CLOCK_READ_MS);
  }
  for (const name of names) clocks.set(name, 0);
  await systemClock.sleep(CLOCK_READ_MS);
  return { detail: `${STROBES} times` };
}

const directions = [
  {
    way: 'forward',
    seconds: JUMP_S,
    meanwhile:
      'Transactions that were open are past their timeout: what Kafka ends is settled by the markers, and rows arrive.',
  },
  {
    way: 'back',
    seconds: -JUMP_S,
    meanwhile:
      "Records are of Kafka's far future, and it refuses them: they take its time, and rows arrive while it is wrong.",
  },
] as const;

const jumps = directions.flatMap(({ way, seconds, meanwhile }): Fault[] => [
  {
    name: `clock-${way}-process`,
    what: `The wall clock of a writer or sender jumps two hours ${way}, and some seconds later to where it was.`,
    expected:
      'Its own deadlines go by the monotonic clock, leases by the database. Brokers refuse records of the far future: then it takes their time, and rows arrive while its clock is wrong.',
    targets: ['writers', 'senders'],
    stage: 'clock',
    inject: (scene) => jumpAndGoOn(scene, scene.chance.pick(scene.slots).name, seconds),
  },
  {
    name: `clock-${way}-database`,
    what: `The clock of MariaDB jumps two hours ${way}, and some seconds later to where it was; a process is killed after each.`,
    expected: 'Leases end too early or are taken for ended: whoever loses a lane is fenced.',
    targets: ['database', 'writers', 'senders'],
    stage: 'clock',
    inject: (scene) => jump(scene, ['database'], seconds, true),
  },
  {
    name: `clock-${way}-kafka`,
    what: `The clock of Kafka jumps two hours ${way}, and some seconds later to where it was; a process is killed after each.`,
    expected: meanwhile,
    targets: ['kafka', 'writers', 'senders'],
    stage: 'clock',
    inject: (scene) => jumpAndGoOn(scene, 'kafka', seconds, true),
  },
]);

export const CLOCK_FAULTS: readonly Fault[] = [
  ...jumps,
  {
    name: 'clock-strobe',
    what: 'The clocks of all processes, of MariaDB and of Kafka jump to and fro within two hours, each by itself, once a second.',
    expected: 'Lanes and terms change hands more than they need; each row arrives once.',
    targets: ['database', 'kafka', 'writers', 'senders'],
    stage: 'clock',
    inject: strobe,
  },
];
