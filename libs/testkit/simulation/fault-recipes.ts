/** Faults that belong together: each recipe sets the scene in which one step of the protocol is what saves the day. */
import type { Dice } from './chance.ts';
import type { PlacedFault } from './scenario.ts';

type Recipe = (dice: Dice, senders: readonly string[]) => PlacedFault[];

const LONG_MS = 4_000;

/** A transaction on its way: of a sender that is stopped, dead, or has given it up. */
function hangingCommit(dice: Dice, process: string, until: string): PlacedFault {
  const at = { process, gate: 'before:commit', pass: dice.whole(2, 10), ms: LONG_MS, until };
  const kind = dice.pick(['crash', 'crash', 'stop', 'late'] as const);
  return kind === 'late' ? { ...at, kind } : { ...at, kind, ghost: true };
}

const sleep = (process: string, gate: string, pass: number, until: string | null): PlacedFault => ({
  process,
  gate,
  pass,
  kind: 'stop',
  ghost: true,
  ms: LONG_MS,
  until,
});

export const TAKE_OVERS: readonly Recipe[] = [
  // The former holder's transaction commits between the claim and the fence.
  (dice, senders) => [
    hangingCommit(dice, dice.pick(senders), dice.pick(['store.claimLane:answered', 'before:fence', 'before:open'])),
  ],
  // A taker dies between the claim and the fence, and the first holder's transaction is still on its way.
  (dice, senders) => {
    const holder = dice.pick(senders);
    const until = dice.pick(['after:read-markers', 'store.clearFences:answered', 'after:fence']);
    const taker = dice.pick(senders);
    return [
      { ...hangingCommit(dice, holder, until), ...{ kind: 'crash', ghost: true, ms: 2 * LONG_MS, until } },
      { process: taker, gate: 'before:fence', pass: 1, kind: 'crash', ghost: false, ms: 0, until: null },
    ];
  },
  // The first holder sleeps in front of a transaction, whoever takes its lanes dies before it has fenced, and the next one
  // has both to fence: the sleeper wakes up when that one knows the marker.
  (dice, senders) => {
    const holder = dice.pick(senders);
    const takers = senders.filter((name) => name !== holder);
    return [
      {
        process: holder,
        gate: 'before:send',
        pass: dice.whole(2, 8),
        kind: 'stop',
        ghost: true,
        ms: 3 * LONG_MS,
        until: dice.pick(['after:read-markers', 'store.clearFences:answered']),
      },
      ...takers.map((process) => ({
        process,
        gate: 'before:fence',
        pass: 1,
        kind: 'crash' as const,
        ghost: false,
        ms: 0,
        until: null,
      })),
    ];
  },
  // A taker sleeps between its claim and its first transaction, while others take the lane.
  (dice, senders) => [
    {
      process: dice.pick(senders),
      gate: dice.pick(['store.claimLane:answered', 'after:fence', 'store.clearFences:answered', 'after:read-markers']),
      pass: dice.whole(1, 3),
      kind: 'stop',
      ghost: false,
      ms: dice.between(1_500, LONG_MS),
      until: null,
    },
  ],
  // A sender loses its session and sleeps before it opens the next one, while others take its lanes.
  (dice, senders) => {
    const process = dice.pick(senders);
    return [
      { process, gate: dice.pick(['before:commit', 'after:commit']), pass: dice.whole(1, 5), kind: 'fail' },
      {
        process,
        gate: dice.pick(['before:open', 'after:open', 'store.renewLeases']),
        pass: dice.whole(2, 4),
        kind: 'stop',
        ghost: true,
        ms: LONG_MS,
        until: dice.pick(['after:fence', 'store.clearFences:answered', 'after:commit']),
      },
    ];
  },
  // A taker cannot fence, loses its session over it and sleeps, while others take the lane it has claimed.
  (dice, senders) => {
    const process = dice.pick(senders);
    const opened = dice.whole(2, 3);
    return [
      ...[1, 2, 3].map((pass) => ({
        process,
        gate: dice.pick(['before:fence', 'before:read-markers', 'after:read-markers']),
        pass,
        kind: 'fail' as const,
      })),
      sleep(process, 'before:open', opened, dice.pick(['store.clearFences:answered', 'after:commit', null])),
      sleep(process, 'before:open', opened + 1, dice.pick(['store.clearFences:answered', 'after:commit', null])),
    ];
  },
  // A sender cannot renew its leases, does not notice that it lost its lanes, and opens a new session late.
  (dice, senders) => {
    const process = dice.pick(senders);
    return [
      ...Array.from({ length: 20 }, (_, at) => ({
        process,
        gate: 'store.heartbeat',
        pass: at + 4,
        kind: 'fail' as const,
      })),
      { process, gate: dice.pick(['before:commit', 'after:commit']), pass: dice.whole(1, 8), kind: 'fail' },
      sleep(process, 'before:open', dice.whole(2, 3), dice.pick(['after:fence', 'store.clearFences:answered'])),
    ];
  },
];

/** A change of a row set aside, held back until others may have dealt with the row. */
function heldChange(dice: Dice, process: string, gate: string, until: string | null): PlacedFault {
  const at = { process, gate, pass: dice.whole(1, 3), ms: dice.between(2_000, LONG_MS), until };
  const kind = dice.pick(['crash', 'stop', 'stop', 'late'] as const);
  return kind === 'late' ? { ...at, kind } : { ...at, kind, ghost: true };
}

export const POISONINGS: readonly Recipe[] = [
  (dice, senders) => [heldChange(dice, dice.pick(senders), 'store.setAside', null)],
  (dice, senders) => [
    heldChange(
      dice,
      dice.pick(senders),
      'store.beginAttempt',
      dice.pick(['store.removeAside:answered', 'store.beginAttempt:answered', null]),
    ),
  ],
  (dice, senders) => [
    heldChange(dice, dice.pick(senders), 'store.failAttempts', dice.pick(['after:commit', 'store.removeAside', null])),
  ],
  // What is certain in Kafka is not yet certain in the database.
  (dice, senders) =>
    senders.map((process) => ({
      process,
      gate: dice.pick(['store.removeAside', 'store.beginAttempt:answered', 'store.setAside']),
      pass: dice.whole(1, 4),
      ...dice.pick([{ kind: 'crash', ghost: false, ms: 0, until: null } as const, { kind: 'fail' } as const]),
    })),
];
