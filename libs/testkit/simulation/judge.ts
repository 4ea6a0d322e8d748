/** The end of a simulation: is every promise kept, once the world has healed and the rows had their time? */
import { laneOf } from '#outbox';
import type { FakeAside } from '../fakes/store-tables.ts';
import type { Application, RowHistory } from './application.ts';
import { type Scenario, TOPICS } from './scenario.ts';
import type { SimKafka } from './sim-kafka.ts';
import type { SimTables } from './sim-tables.ts';
import { Violation } from './violation.ts';

export interface Evidence {
  readonly scenario: Scenario;
  readonly kafka: SimKafka;
  readonly tables: SimTables;
  readonly application: Application;
  /** The application's number at which a source was registered. */
  readonly registeredAt: ReadonlyMap<string, number>;
  /** How many terms of a source ended because another one began. */
  readonly fenced: ReadonlyMap<string, number>;
}

const isHalted = (tables: SimTables, lane: number): boolean => tables.lanes.get(lane)?.state === 'halted';

/** Rows a source owes: with START_FROM=latest, those committed after it was registered. */
export function owed({ scenario, application, registeredAt }: Evidence): RowHistory[] {
  return [...application.rows.values()].filter((row) => {
    const source = scenario.sources.find(({ name }) => name === row.source);
    const since = source?.startFrom === 'latest' ? (registeredAt.get(row.source) ?? Infinity) : 0;
    return row.committedAt !== null && row.committedAt > since;
  });
}

/** Nothing is left to do: every owed row is moved, and what is moved is delivered, or waits where it is meant to. */
export function isDrained(evidence: Evidence): boolean {
  const { tables, scenario } = evidence;
  for (const id of tables.outbox.keys()) if (!isHalted(tables, laneOf(id))) return false;
  for (const row of tables.aside.values())
    if (!isHalted(tables, row.lane) && !isSettled(tables, scenario, row)) return false;
  // What keeps a gap open has ended by now: one that stays open would cost a look-up for ever.
  for (const pages of tables.gaps.values()) if (pages.size > 0) return false;
  return owed(evidence).every(({ eventId }) => tables.appended.has(eventId));
}

/** Dead, or parked for the operator, or waiting behind such a row of its key. */
function isSettled(tables: SimTables, scenario: Scenario, row: FakeAside): boolean {
  if (row.state === 'dead') return true;
  if (scenario.policy !== 'park-key') return false;
  const head = [...tables.aside.values()]
    .filter((other) => other.state !== 'dead' && other.lane === row.lane && sameKey(other, row))
    .sort((a, b) => a.id - b.id)[0] as FakeAside;
  return head.state === 'parked' && head.attempts >= scenario.retriesMax;
}

const sameKey = (a: FakeAside, b: FakeAside): boolean =>
  a.key === null || b.key === null ? a.id === b.id : a.key.equals(b.key);

export function judge(evidence: Evidence): Violation | null {
  const order = evidence.scenario.transactional ? judgeOrder(evidence) : null;
  return judgeRows(evidence) ?? order ?? judgeHalts(evidence) ?? judgeFences(evidence);
}

/** Fences that nothing but chance calls for. */
const FENCES_MAX = 6;

/** Two writers that each believe to lead fence each other in turn: rows crawl, though nobody is ill. */
function judgeFences({ scenario, fenced }: Evidence): Violation | null {
  const { faults, restarts, writers, world } = scenario;
  const isOfWriter = ({ process }: { readonly process: string }) => writers.includes(process);
  const allowed = FENCES_MAX + faults.filter(isOfWriter).length + restarts.filter(isOfWriter).length + world.length;
  for (const [source, fences] of fenced) {
    if (fences > allowed)
      return new Violation('I7', `${fences} terms of ${source} were fenced: leaders fence each other`);
  }
  return null;
}

function judgeRows(evidence: Evidence): Violation | null {
  const { scenario, tables, kafka, application } = evidence;
  for (const eventId of kafka.delivered.keys()) {
    if (!application.rows.has(eventId)) return new Violation('I1', `${eventId} was never committed, but delivered`);
  }
  const due = new Set(owed(evidence).map(({ eventId }) => eventId));
  for (const row of application.rows.values()) {
    const id = tables.appended.get(row.eventId);
    if (id === undefined) {
      if (due.has(row.eventId)) return new Violation('I1', `${row.eventId} was committed and never moved`);
      continue;
    }
    const aside = tables.aside.get(id);
    const delivered = kafka.delivered.has(row.eventId);
    const halted = isHalted(tables, laneOf(id));
    const settled = scenario.transactional && !(halted && (aside?.attemptToken ?? 0) > 0);
    if (delivered && aside !== undefined && settled) {
      return new Violation('I4', `${row.eventId} is in Kafka and set aside as ${aside.state}`);
    }
    if (!delivered && aside === undefined && !tables.outbox.has(id)) {
      return new Violation('I4', `${row.eventId} (${id}) was moved and is nowhere: neither in Kafka nor aside`);
    }
    if (aside !== undefined && aside.state !== 'parked' && aside.state !== 'waiting' && row.poison === 'no') {
      return new Violation('blame', `${row.eventId} is ${aside.state}, though nobody refused it`);
    }
  }
  return null;
}

function judgeOrder({ kafka, application }: Evidence): Violation | null {
  const streams = new Map<string, { id: number; row: RowHistory }[]>();
  for (const topic of TOPICS) {
    for (const record of kafka.committed(topic)) {
      const row = application.rows.get(record.headers.id as string);
      if (row === undefined || row.key === null) continue;
      const name = `${topic} ${row.source} ${row.key}`;
      const stream = streams.get(name) ?? [];
      streams.set(name, stream);
      stream.push({ id: Number(record.headers['outbox-id']), row });
    }
  }
  for (const [name, stream] of streams) {
    let lastId = 0;
    let begunAt = 0;
    const lastOf = new Map<number, bigint>();
    for (const { id, row } of stream) {
      if (id <= lastId) return new Violation('I5', `${name}: outbox id ${id} after ${lastId}`);
      if ((row.committedAt ?? 0) < begunAt) {
        return new Violation('I5', `${name}: ${row.eventId} committed before a row began that was delivered before it`);
      }
      if ((lastOf.get(row.transaction) ?? -1n) > row.position) {
        return new Violation('I5', `${name}: ${row.eventId} out of order within its transaction`);
      }
      lastId = id;
      begunAt = Math.max(begunAt, row.begunAt);
      lastOf.set(row.transaction, row.position);
    }
  }
  return null;
}

/** A lane may only be halted where the scenario holds something that halts. */
function judgeHalts({ scenario, tables }: Evidence): Violation | null {
  const halted = [...tables.lanes.values()].find(({ state }) => state === 'halted');
  if (halted === undefined || mayHalt(scenario)) return null;
  return new Violation('I8', `lane ${halted.lane} is halted without a cause: ${halted.why}`);
}

function mayHalt(scenario: Scenario): boolean {
  const poisoned = scenario.transactions.some(({ statements }) =>
    statements.some(({ rows }) => rows.some(({ poison }) => poison !== 'no')),
  );
  const torn = scenario.world.some(({ kind }) => kind === 'commits-lost');
  return (
    scenario.world.some(({ kind }) => kind === 'markers-expire') ||
    (poisoned && scenario.policy === 'halt') ||
    ((poisoned || torn) && scenario.parkedKeysMax < 100)
  );
}
