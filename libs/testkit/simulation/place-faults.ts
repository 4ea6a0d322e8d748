/** Faults of a scenario: some strewn by chance, some placed where the protocol is most easily hurt. */
import type { Dice } from './chance.ts';
import { POISONINGS, TAKE_OVERS } from './fault-recipes.ts';
import type { PlacedFault, ProcessFault, Theme } from './scenario.ts';

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
  'store.noteTopics',
  'store.noteTopics:answered',
  'store.listTopics:answered',
  'before:end-leftovers',
  'after:end-leftovers',
] as const;
const POISON_GATES = [
  'store.setAside',
  'store.setAside:answered',
  'store.listAsideHeads:answered',
  'store.beginAttempt',
  'store.beginAttempt:answered',
  'store.failAttempts',
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
