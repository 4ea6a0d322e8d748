/** What a check says of one thing: fine, risky, broken, or not to be seen; and what mends it. */
import type { Facts, KafkaFacts, RelayFacts, ServerLook } from './facts.ts';

/** `unknown`: nobody could look, by lack of rights or because a server is too old to say. Counts as neither good nor bad. */
export type Verdict = 'fine' | 'risky' | 'broken' | 'unknown';

export interface Judgement {
  /** What it is about: `topic orders`, `lane 3`; empty where there is only one. */
  readonly about: string;
  readonly verdict: Verdict;
  readonly says: string;
  /** A command, a statement or a setting; null where nothing is to be done. */
  readonly mend: string | null;
}

export const fine = (about: string, says: string): Judgement => ({ about, verdict: 'fine', says, mend: null });
export const risky = (about: string, says: string, mend: string): Judgement => ({
  about,
  verdict: 'risky',
  says,
  mend,
});
export const broken = (about: string, says: string, mend: string): Judgement => ({
  about,
  verdict: 'broken',
  says,
  mend,
});
export const unknown = (about: string, says: string, mend: string | null = null): Judgement => ({
  about,
  verdict: 'unknown',
  says,
  mend,
});

export type Area = 'settings' | 'database' | 'relay' | 'kafka' | 'redis';

/** One question. Pure: facts in, judgements out; what was not looked at answers with none. */
export interface Check {
  /** `area.name`; other programs and the documents know it by this. */
  readonly id: `${Area}.${string}`;
  /** What it looks at, for the table in docs/operations.md. */
  readonly title: string;
  readonly look: (facts: Facts) => readonly Judgement[];
}

export const settingsCheck = (name: string, title: string, look: (facts: Facts) => readonly Judgement[]): Check => ({
  id: `settings.${name}`,
  title,
  look,
});

export const databaseCheck = (
  name: string,
  title: string,
  look: (database: ServerLook, facts: Facts) => readonly Judgement[],
): Check => ({
  id: `database.${name}`,
  title,
  look: (facts) => (facts.database === null ? [] : look(facts.database, facts)),
});

/** Runs once our tables are there and can be read. */
export const relayCheck = (
  name: string,
  title: string,
  look: (relay: RelayFacts, facts: Facts) => readonly Judgement[],
): Check => ({
  id: `relay.${name}`,
  title,
  look: (facts) => (facts.relay === null ? [] : look(facts.relay, facts)),
});

export const kafkaCheck = (
  name: string,
  title: string,
  look: (kafka: KafkaFacts, facts: Facts) => readonly Judgement[],
): Check => ({
  id: `kafka.${name}`,
  title,
  look: (facts) => (facts.kafka === null ? [] : look(facts.kafka, facts)),
});
