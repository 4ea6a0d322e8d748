/**
 * Incarnations of a source: how often its ids have begun anew. The event id of a row is `<source>:<id>` in the first one and
 * `<source>:<incarnation>:<id>` in a later one, since a reader that drops copies by event id would take the new row for the old
 * one of its id. Pure.
 */
import type { Incarnation, SourceRow } from './ports.ts';

/** The incarnation that rows are moved in now. */
export const currentIncarnation = (incarnations: readonly Incarnation[]): number => incarnations.at(-1)?.number ?? 1;

/** The incarnation of the row that is in the table at this position. */
export function incarnationAt(incarnations: readonly Incarnation[], position: bigint): number {
  return incarnations.findLast(({ after }) => position > after)?.number ?? 1;
}

/** Reading goes back to `after`: rows above it are of a new incarnation. Entries that no row can belong to any more are left out. */
export function beginIncarnation(incarnations: readonly Incarnation[], after: bigint): readonly Incarnation[] {
  const kept = incarnations.filter((one) => one.after < after);
  return [...kept, { number: currentIncarnation(incarnations) + 1, after }];
}

export const eventIdAt = (source: string, incarnation: number, position: bigint): string =>
  incarnation === 1 ? `${source}:${position}` : `${source}:${incarnation}:${position}`;

/** A reader names rows as in the first incarnation. An id that an event has of its own stays as it is. */
export function inIncarnations(
  source: string,
  incarnations: readonly Incarnation[],
  rows: readonly SourceRow[],
): readonly SourceRow[] {
  if (incarnations.length === 0) return rows;
  return rows.map((row) => {
    if (row.eventId !== eventIdAt(source, 1, row.position)) return row;
    return { ...row, eventId: eventIdAt(source, incarnationAt(incarnations, row.position), row.position) };
  });
}

const EVENT_ID = /^(?:([1-9]\d{0,8}):)?(-?\d{1,20})$/;

/** What the event id of a row of this source says, its position as digits; null for any other text. */
export function parseEventId(
  source: string,
  eventId: string,
): { readonly incarnation: number; readonly digits: string } | null {
  if (!eventId.startsWith(`${source}:`)) return null;
  const found = EVENT_ID.exec(eventId.slice(source.length + 1));
  if (found === null) return null;
  return { incarnation: found[1] === undefined ? 1 : Number(found[1]), digits: found[2] as string };
}

/** JSON of [number, after] pairs, `after` as a decimal text, exact beyond 2^53; null for the first incarnation alone. */
export const incarnationsToText = (incarnations: readonly Incarnation[]): string | null =>
  incarnations.length === 0
    ? null
    : JSON.stringify(incarnations.map(({ number, after }) => [number, after.toString()]));

export const incarnationsFromText = (text: string | null): readonly Incarnation[] =>
  text === null
    ? []
    : (JSON.parse(text) as [number, string][]).map(([number, after]) => ({ number, after: BigInt(after) }));
