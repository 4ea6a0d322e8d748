/** Writers and senders killed, paused and stopped. */
import { systemClock } from '#runtime';
import { type Fault, type Injection, LEASE_MS, LOCK_TTL_MS, SHUTDOWN_MS } from '../fault.ts';
import type { Scene } from '../scene.ts';
import type { Slot } from '../slot.ts';

const EXIT_SLACK_MS = 10_000;
const STORM_KILLS = 8;
const BARRAGE_KILLS = 100;
const BARRAGE_PAUSE_MS = 250;

async function leaderOf(scene: Scene): Promise<Slot> {
  return (await scene.leader()) ?? scene.chance.pick(scene.writers());
}

async function killAll(slots: readonly Slot[]): Promise<Injection> {
  await Promise.all(slots.map((slot) => slot.kill()));
  return { detail: slots.map(({ name }) => name).join(' '), kills: slots.length };
}

/** Stopped for so long, and then on as if nothing had been. */
function freeze(slots: readonly Slot[], holdMs: number): Injection {
  for (const slot of slots) slot.pause();
  return {
    detail: `${slots.map(({ name }) => name).join(' ')} for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => {
      for (const slot of slots) slot.resume();
    },
  };
}

/** SIGTERM, which must end each with 0 and in time. */
async function terminate(slots: readonly Slot[]): Promise<Injection> {
  const ended = await Promise.all(slots.map((slot) => slot.terminate(SHUTDOWN_MS + EXIT_SLACK_MS)));
  for (const [index, { code, tookMs }] of ended.entries()) {
    if (code === 0) continue;
    const { name, output } = { name: slots[index]?.name, output: slots[index]?.output() };
    throw new Error(`${name} ended with ${code} on SIGTERM after ${Math.round(tookMs)} ms:\n${output}`);
  }
  return { detail: slots.map(({ name }) => name).join(' ') };
}

/** Kills at random moments, without waiting for anything to recover. */
async function killInARow(scene: Scene, count: number, pauseMsMax: number): Promise<Injection> {
  const { chance } = scene;
  let kills = 0;
  while (kills < count) {
    const running = scene.slots.filter((slot) => slot.ready);
    if (running.length > 0) {
      await chance.pick(running).kill();
      kills += 1;
    }
    await systemClock.sleep(chance.integer(10, pauseMsMax));
  }
  return { detail: `${kills} kills`, kills };
}

export async function rollingRestart(scene: Scene): Promise<Injection> {
  for (const slot of scene.chance.shuffle(scene.slots)) {
    await terminate([slot]);
    while (!slot.ready) await systemClock.sleep(100);
  }
  return { detail: 'all, one after another' };
}

const someSender = (scene: Scene): Slot => scene.chance.pick(scene.senders());

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'kill-writer-leader',
    what: 'SIGKILL of the writer that leads.',
    expected: 'The standby leads within the lock TTL and a second.',
    targets: ['writers'],
    weight: 3,
    inject: async (scene) => killAll([await leaderOf(scene)]),
  },
  {
    name: 'kill-writer-standby',
    what: 'SIGKILL of a writer that does not lead.',
    expected: 'Nothing is noticed.',
    targets: ['writers'],
    inject: async (scene) => {
      const leader = await leaderOf(scene);
      return killAll([scene.writers().find((slot) => slot !== leader) ?? leader]);
    },
  },
  {
    name: 'kill-all-writers',
    what: 'SIGKILL of every writer at once.',
    expected: 'The first to come back leads when the lock has run out.',
    targets: ['writers'],
    inject: (scene) => killAll(scene.writers()),
  },
  {
    name: 'kill-sender',
    what: 'SIGKILL of a sender.',
    expected: 'The others fence it and take its lanes when the lease has run out.',
    targets: ['senders'],
    weight: 4,
    inject: (scene) => killAll([someSender(scene)]),
  },
  {
    name: 'kill-two-senders',
    what: 'SIGKILL of two senders at once.',
    expected: 'The others fence them and take their lanes.',
    targets: ['senders'],
    weight: 2,
    inject: (scene) => killAll(scene.chance.shuffle(scene.senders()).slice(0, 2)),
  },
  {
    name: 'kill-all-senders',
    what: 'SIGKILL of every sender at once.',
    expected: 'Those that come back take all lanes when the leases have run out.',
    targets: ['senders'],
    weight: 2,
    inject: (scene) => killAll(scene.senders()),
  },
  {
    name: 'kill-everything',
    what: 'SIGKILL of every writer and sender at once.',
    expected: 'All begins again where it stood.',
    targets: ['writers', 'senders'],
    inject: (scene) => killAll(scene.slots),
  },
  {
    name: 'kill-storm',
    what: `${STORM_KILLS} SIGKILLs of random processes within some seconds.`,
    expected: 'Takers die while they take over; the next one fences them all.',
    targets: ['writers', 'senders'],
    weight: 6,
    inject: (scene) => killInARow(scene, STORM_KILLS, 900),
  },
  {
    name: 'kill-barrage',
    what: `${BARRAGE_KILLS} SIGKILLs among three writers and nine senders, as fast as they come back.`,
    expected: 'As after one, and the rows that came meanwhile follow.',
    targets: ['writers', 'senders'],
    stage: 'crowd',
    inject: (scene) => killInARow(scene, BARRAGE_KILLS, BARRAGE_PAUSE_MS),
  },
  {
    name: 'pause-writer-leader',
    what: 'SIGSTOP of the leading writer for longer than its lock lives, then SIGCONT.',
    expected: 'Another leads; the old one finds its term fenced and commits nothing.',
    targets: ['writers'],
    weight: 2,
    inject: async (scene) => freeze([await leaderOf(scene)], scene.chance.integer(LOCK_TTL_MS + 500, LOCK_TTL_MS * 3)),
  },
  {
    name: 'pause-sender',
    what: 'SIGSTOP of a sender for longer than its lease, then SIGCONT.',
    expected: 'Its lanes are taken; it finds itself fenced, begins anew and delivers nothing twice.',
    targets: ['senders'],
    weight: 3,
    inject: async (scene) => freeze([someSender(scene)], scene.chance.integer(LEASE_MS + 500, LEASE_MS * 2)),
  },
  {
    name: 'pause-sender-briefly',
    what: 'SIGSTOP of a sender for about as long as its lease, so that its return races with the take-over.',
    expected: 'Either it keeps its lanes or it is fenced.',
    targets: ['senders'],
    weight: 2,
    inject: async (scene) => freeze([someSender(scene)], scene.chance.integer(LEASE_MS - 1_500, LEASE_MS + 1_500)),
  },
  {
    name: 'pause-all-senders',
    what: 'SIGSTOP of every sender for longer than every lease, then SIGCONT for all.',
    expected: 'Each finds its leases run out and renews or takes them in order.',
    targets: ['senders'],
    inject: async (scene) => freeze(scene.senders(), scene.chance.integer(LEASE_MS + 500, LEASE_MS * 2)),
  },
  {
    name: 'pause-everything',
    what: 'SIGSTOP of all writers and senders, then SIGCONT.',
    expected: 'As after a suspended machine: locks and leases are won again.',
    targets: ['writers', 'senders'],
    inject: async (scene) => freeze(scene.slots, scene.chance.integer(LEASE_MS + 500, LEASE_MS * 2)),
  },
  {
    name: 'terminate-writer-leader',
    what: 'SIGTERM of the leading writer.',
    expected: 'It releases the lock and ends with 0; the standby leads at once.',
    targets: ['writers'],
    inject: async (scene) => terminate([await leaderOf(scene)]),
  },
  {
    name: 'terminate-sender',
    what: 'SIGTERM of a sender.',
    expected: 'It gives its lanes back and ends with 0; the others take them at once.',
    targets: ['senders'],
    weight: 2,
    inject: (scene) => terminate([someSender(scene)]),
  },
  {
    name: 'rolling-restart',
    what: 'SIGTERM of every process, one after another, each when the last one is back.',
    expected: 'Every process ends with 0.',
    targets: ['writers', 'senders'],
    inject: rollingRestart,
  },
];
