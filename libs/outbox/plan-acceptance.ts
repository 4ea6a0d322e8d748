/**
 * How a halted source goes on once an operator accepts what happened. For a table that went back it says which rows are new, as
 * far as the sample of moved rows tells; where it does not, the operator has to say it. Nothing is changed here.
 */
import { GapSet } from './gap-set.ts';
import { beginIncarnation } from './incarnations.ts';
import { compareMarks } from './judge-table.ts';
import type {
  SourceAcceptance,
  SourceReader,
  StoredGapPage,
  TableFacts,
  TableSample,
  WatermarkState,
} from './ports.ts';
import { LOWEST_POSITION, lookAtSample } from './read-sample.ts';

/** `first`: every row of the table. `next`: only rows above the position, as if nothing had happened. A number: rows from that id on. */
export type AcceptFrom = 'first' | 'next' | bigint;

export type AcceptancePlan =
  | {
      readonly kind: 'ready';
      readonly acceptance: SourceAcceptance;
      /** What is going to happen and why, one sentence each. */
      readonly says: readonly string[];
    }
  /** What is not known, one sentence each; with `from` it goes on. */
  | { readonly kind: 'undecided'; readonly says: readonly string[] }
  /** Why it cannot go on like that. */
  | { readonly kind: 'refused'; readonly why: string };

export interface AcceptanceOptions {
  /** Halted. */
  readonly state: WatermarkState;
  readonly facts: TableFacts;
  /** Open ones, as stored. */
  readonly gaps: readonly StoredGapPage[];
  /** Of the table as it is now. */
  readonly reader: SourceReader;
  /** Null: what the evidence says. */
  readonly from: AcceptFrom | null;
  /** Ids above the position were handed out before, to other rows: event ids get a number. Going back always means that. */
  readonly newIds?: boolean;
}

export async function planAcceptance(options: AcceptanceOptions): Promise<AcceptancePlan> {
  const { state, facts, reader, from } = options;
  const mark = (await reader.tableMark?.()) ?? null;
  const next = (await reader.nextPosition?.()) ?? null;
  const columns = reader.columns ?? null;
  const says = columnChanges(facts, columns?.map(({ name }) => name) ?? []);
  const stays: SourceAcceptance = {
    source: state.source,
    epoch: state.epoch,
    position: state.position,
    gaps: { put: [], drop: [] },
    incarnations: state.incarnations,
    facts: { columns, mark, sample: facts.sample, next: facts.next },
  };
  if (state.cause !== 'SOURCE_WENT_BACK' && from === null) return goOn(stays, says, options.newIds ?? false);
  if (reader.removal !== undefined || reader.nextPosition === undefined) {
    return {
      kind: 'refused',
      why: 'rows leave this table as they are moved: all that are in it are new, and --from says nothing',
    };
  }
  const start = from ?? (await startByEvidence(options));
  if (typeof start === 'object') return { kind: 'undecided', says: [...says, ...start.unknown] };
  const position = typeof start === 'bigint' ? start - 1n : start === 'next' ? state.position : await belowAll(reader);
  if (position > state.position) {
    return {
      kind: 'refused',
      why: `rows up to ${position} would be skipped: rows were moved up to ${state.position} only`,
    };
  }
  if (next !== null && position >= next) {
    return { kind: 'refused', why: `the next id is ${next}: rows up to ${position} would never be seen` };
  }
  if (position === state.position) {
    const what = 'nothing that was moved is read again';
    const kept = { ...stays, facts: { ...stays.facts, sample: null, next } };
    return goOn(kept, [...says, what], options.newIds ?? false);
  }
  // Rows of transactions still open, below what is read again.
  const stored = GapSet.restore(options.gaps, 0);
  return {
    kind: 'ready',
    acceptance: {
      ...stays,
      position,
      gaps: stored.upTo(position).changesSince(stored),
      incarnations: beginIncarnation(state.incarnations, position),
      facts: { columns, mark, sample: null, next },
    },
    says: [...says, ...whatIsRead(state, position, from === null)],
  };
}

function goOn(acceptance: SourceAcceptance, says: readonly string[], newIds: boolean): AcceptancePlan {
  const { source, position } = acceptance;
  const on = [...says, `reading goes on after ${position}`];
  if (!newIds) return { kind: 'ready', acceptance, says: on };
  const incarnations = beginIncarnation(acceptance.incarnations, position);
  const named = `event ids are ${source}:${incarnations.at(-1)?.number}:<id> above ${position}`;
  return { kind: 'ready', acceptance: { ...acceptance, incarnations }, says: [...on, named] };
}

function whatIsRead({ source, position: before, incarnations }: WatermarkState, position: bigint, byEvidence: boolean) {
  const number = (incarnations.at(-1)?.number ?? 1) + 1;
  const all = byEvidence ? 'no row is left of those that were moved' : 'as asked for';
  const some = byEvidence ? `rows up to ${position} are those that were moved, and none above` : 'as asked for';
  return [
    position <= 0n
      ? `${all}: every row of the table is new and is read, from the first one`
      : `${some}: rows from ${position + 1n} on are new and are read`,
    `reading goes back from ${before} to ${position}; event ids are ${source}:${number}:<id> from here on, since their ids were used before`,
  ];
}

/** Positions are above 0 as a rule; a table with lower ids is read from its lowest one. */
async function belowAll(reader: SourceReader): Promise<bigint> {
  const [lowest] = await reader.committedIn([{ from: LOWEST_POSITION, to: 0n }], 1);
  return lowest === undefined ? 0n : lowest - 1n;
}

function columnChanges({ columns }: TableFacts, now: readonly string[]): readonly string[] {
  const before = columns?.map(({ name }) => name) ?? [];
  const gone = before.filter((name) => !now.includes(name));
  const added = columns === null ? [] : now.filter((name) => !before.includes(name));
  return [
    ...(gone.length === 0 ? [] : [`not delivered any more: ${gone.join(', ')}`]),
    ...(added.length === 0 ? [] : [`delivered from now on: ${added.join(', ')}`]),
  ];
}

/** Where the new rows begin, or what is not known. */
async function startByEvidence({
  state,
  facts,
  reader,
}: AcceptanceOptions): Promise<AcceptFrom | { unknown: string[] }> {
  const change = compareMarks(facts.mark, (await reader.tableMark?.()) ?? null);
  const isWhole = change.kind === 'data' && change.parts[0] === '';
  // TRUNCATE, which leaves nothing.
  if (isWhole && change.certain) return 'first';
  if (change.kind === 'data' && !isWhole) {
    return {
      unknown: [`the rows of partition ${change.parts.join(', ')} were exchanged or removed: say which rows are new`],
    };
  }
  const { sample } = facts;
  if (sample === null || sample.rows.length === 0)
    return { unknown: ['no sample of moved rows was kept: say which rows are new'] };
  const verdicts = await lookAtSample(reader, sample);
  const unclear = verdicts.filter((verdict) => verdict === 'unclear').length;
  const kept = verdicts.lastIndexOf('same');
  const counts = countsOf(verdicts);
  if (kept < 0 && unclear === 0 && isWhole && change.kind === 'data') return 'first';
  // What had gone back was put right: ids go on, and the highest row looked at is the one that was moved.
  const next = (await reader.nextPosition?.()) ?? null;
  if (next !== null && next > state.position && change.kind !== 'data' && kept === verdicts.length - 1) return 'next';
  if (unclear > 0) return { unknown: [counts, 'say which rows are new'] };
  const cut = await isCutBehind(reader, sample, kept);
  if (cut) return kept < 0 ? 'first' : (sample.rows[kept]?.position ?? 0n) + 1n;
  return { unknown: [counts, notCut(state, sample, kept), 'say which rows are new'] };
}

function countsOf(verdicts: readonly string[]): string {
  const count = (wanted: string) => verdicts.filter((verdict) => verdict === wanted).length;
  return `of ${verdicts.length} rows looked at ${count('same')} are as they were, ${count('other')} are others under the same id, ${count('unclear')} may have been changed, ${count('gone')} are gone`;
}

const notCut = ({ position }: WatermarkState, sample: TableSample, kept: number): string => {
  const from = kept < 0 ? 'the first one' : String(sample.rows[kept]?.position);
  const to = sample.rows[kept + 1]?.position ?? position;
  return `rows between ${from} and ${to} may be old or new`;
};

/** True when no row lies between the last sampled row that is left and the next sampled one: that is where the table was cut. */
async function isCutBehind(reader: SourceReader, sample: TableSample, kept: number): Promise<boolean> {
  const next = sample.rows[kept + 1]?.position;
  if (next === undefined) return false;
  const after = kept < 0 ? LOWEST_POSITION : (sample.rows[kept]?.position ?? LOWEST_POSITION) + 1n;
  return (await reader.committedIn([{ from: after, to: next - 1n }], 1)).length === 0;
}
