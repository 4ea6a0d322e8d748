/**
 * Rank 4: dead-letter topics of the retriable consumer, read and sent again. A letter that was sent again stays where it is;
 * a mark beside it says so, written in the transaction that sends it. So a crash in between, or a second run, doubles nothing.
 */
export type { DeadLetter, LetterPlace } from './dead-letter.ts';
export { type LetterFilter, matches } from './letter-filter.ts';
export { readDeadLetters } from './read-dead-letters.ts';
export { type RedriveOptions, type RedriveResult, redriveDeadLetters } from './redrive-dead-letters.ts';
