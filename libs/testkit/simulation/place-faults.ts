/** Faults of a scenario: some strewn by chance, some placed where the protocol is most easily hurt. */
import type { Dice } from './chance.ts';
import type { PlacedFault, ProcessFault } from './scenario.ts';

export type Theme = 'any' | 'take-over' | 'poison' | 'writers';

export interface Cast {
  readonly writers: readonly string[];
  readonly senders: readonly string[];
}

/** Any gate: the number of gates a process passes while the world is faulty, about. */
const GATES_MAX = 400;
/** Longer than every lease and lock, and shorter. */
const HOLD_MS = { least: 50, most: 4_000 };

const WRITER_GATES = [
  'source.readAfter:answered',
  'source.readRanges:answered',
  'source.probe',
  'source.probe:answered',
  'store.registerSource',
  'store.beginTerm',
  'store.beginTerm:answered',
  'store.append',
  'store.append:answered',
] as const;
const SENDER_GATES = [
  'before:open',
  'after:open',
  'before:fence',
  'after:fence',
  'before:read-markers',
  'after:read-markers',
  'before:send',
  'before:commit',
  'after:commit',
  'store.claimLane',
  'store.claimLane:answered',
  'store.clearFences',
  'store.clearFences:answered',
  'store.renewLeases',
  'store.renewLeases:answered',
  'store.recordMarkerWritten',
  'store.recordMarkerWritten:answered',
  'store.releaseLane',
  'store.haltLane',
  'store.readBatches:answered',
  'store.deleteDelivered',
] as const;
const POISON_GATES = [
  'store.setAside',
  'store.setAside:answered',
  'store.listAsideHeads:answered',
  'store.beginAttempt',
  'store.beginAttempt:answered',
  'store.failAttempt',
  'store.removeAside',
  'before:commit',
  'after:commit',
  'after:read-markers',
] as const;
/** What somebody does just before something held back goes on. */
const WRITER_MOMENTS = ['store.beginTerm:answered', 'store.append:answered', 'source.readAfter:answered'] as const;
const SENDER_MOMENTS = [
  'before:open',
  'store.claimLane:answered',
  'before:fence',
  'after:fence',
  'store.clearFences:answered',
  'after:read-markers',
  'after:commit',
  'store.releaseLane:answered',
] as const;
const POISON_MOMENTS = [
  'store.setAside:answered',
  'store.beginAttempt:answered',
  'store.removeAside:answered',
  'store.failAttempt:answered',
  'after:commit',
  'after:fence',
] as const;

export function placeFaults(dice: Dice, cast: Cast, theme: Theme): PlacedFault[] {
  const faults = Array.from({ length: dice.whole(0, 5) }, () => strewn(dice, cast, theme));
  const takeOvers = theme === 'take-over' ? dice.whole(1, 2) : dice.whole(0, 4) === 0 ? 1 : 0;
  for (let n = 0; n < takeOvers; n += 1) faults.push(...dice.pick(TAKE_OVERS)(dice, cast.senders));
  const poisonings = theme === 'poison' ? dice.whole(1, 2) : 0;
  for (let n = 0; n < poisonings; n += 1) faults.push(...dice.pick(POISONINGS)(dice, cast.senders));
  return faults;
}

function strewn(dice: Dice, { writers, senders }: Cast, theme: Theme): PlacedFault {
  const isWriter = dice.chance(theme === 'writers' ? 0.9 : 0.2);
  const process = dice.pick(isWriter ? writers : senders);
  const isPoison = theme === 'poison' && dice.chance(0.7);
  const gates = isWriter ? WRITER_GATES : isPoison ? POISON_GATES : SENDER_GATES;
  const moments = isWriter ? WRITER_MOMENTS : isPoison ? POISON_MOMENTS : SENDER_MOMENTS;
  const at = dice.chance(0.3)
    ? { process, gate: null, pass: dice.whole(1, GATES_MAX) }
    : { process, gate: dice.pick<string>(gates), pass: dice.whole(1, dice.pick([2, 5, 20])) };
  const kind = dice.pick(['crash', 'crash', 'stop', 'stop', 'fail', 'fail', 'late', 'late'] as const);
  return { ...at, ...faultOf(dice, kind, dice.chance(0.5) ? dice.pick<string>(moments) : null) };
}

function faultOf(dice: Dice, kind: ProcessFault['kind'], until: string | null): ProcessFault {
  const ghost = dice.chance(0.5);
  const ms = dice.between(HOLD_MS.least, HOLD_MS.most);
  if (kind === 'fail') return { kind };
  return kind === 'late' ? { kind, ms, until } : { kind, ghost, ms, until };
}

type Recipe = (dice: Dice, senders: readonly string[]) => PlacedFault[];

const LONG_MS = 4_000;

/** A transaction on its way: of a sender that is stopped, dead, or has given it up. */
function hangingCommit(dice: Dice, process: string, until: string): PlacedFault {
  const at = { process, gate: 'before:commit', pass: dice.whole(2, 10), ms: LONG_MS, until };
  const kind = dice.pick(['crash', 'crash', 'stop', 'late'] as const);
  return kind === 'late' ? { ...at, kind } : { ...at, kind, ghost: true };
}

const TAKE_OVERS: readonly Recipe[] = [
  // The former holder's transaction commits between the claim and the fence.
  (dice, senders) => [
    hangingCommit(dice, dice.pick(senders), dice.pick(['store.claimLane:answered', 'before:fence', 'before:open'])),
  ],
  // A taker dies between the claim and the fence, and the first holder's transaction is still on its way.
  (dice, senders) => [
    hangingCommit(dice, dice.pick(senders), dice.pick(['after:read-markers', 'store.clearFences:answered'])),
    ...senders.map((process) => ({
      process,
      gate: 'store.claimLane:answered',
      pass: dice.whole(2, 4),
      kind: 'crash' as const,
      ghost: false,
      ms: 0,
      until: null,
    })),
  ],
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

const sleep = (process: string, gate: string, pass: number, until: string | null): PlacedFault => ({
  process,
  gate,
  pass,
  kind: 'stop',
  ghost: true,
  ms: LONG_MS,
  until,
});

/** A change of a row set aside, held back until others may have dealt with the row. */
function heldChange(dice: Dice, process: string, gate: string, until: string | null): PlacedFault {
  const at = { process, gate, pass: dice.whole(1, 3), ms: dice.between(2_000, LONG_MS), until };
  const kind = dice.pick(['crash', 'stop', 'stop', 'late'] as const);
  return kind === 'late' ? { ...at, kind } : { ...at, kind, ghost: true };
}

const POISONINGS: readonly Recipe[] = [
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
    heldChange(dice, dice.pick(senders), 'store.failAttempt', dice.pick(['after:commit', 'store.removeAside', null])),
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
