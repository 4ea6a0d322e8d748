/** The status as tables for people. */
import { explainStall } from '#runtime';
import type { LaneStatus } from '../wiring/read-lanes.ts';
import type { SourceStatus, Status } from '../wiring/read-status.ts';
import { showWaitingTarget, whatToDo } from '../wiring/waiting-targets.ts';
import { type Cell, renderTable, showDuration } from './render-table.ts';

export function renderStatus(status: Status): readonly string[] {
  return [
    ...renderHead(status),
    '',
    ...renderSources(status),
    '',
    ...renderLanes(status.lanes),
    '',
    ...renderMembers(status),
    ...renderProblems(status),
  ];
}

function renderGapHolders({ gapHolders }: Status): readonly string[] {
  if (gapHolders === null) return [];
  const { transactions, connection, since } = gapHolders;
  const who = connection === null ? 'a prepared XA transaction' : `the transaction of connection ${connection}`;
  const more = transactions === 1 ? 'the only one' : `the oldest of ${transactions}`;
  return [`open gaps  held by ${who}, open since ${since} (${more} that may own missing ids)`];
}

function renderHead(status: Status): readonly string[] {
  const { database, kafka, redis, delivery, backlog, aside } = status;
  const count = `${backlog.rows}${backlog.capped ? ' or more' : ''}`;
  const oldest = backlog.oldestAgeMs === null ? '' : `, the oldest waits for ${showDuration(backlog.oldestAgeMs)}`;
  return [
    `database   ${database}`,
    `kafka      ${kafka.reachable ? '' : 'AWAY: '}${kafka.says}`,
    `redis      ${redis === null ? 'not configured' : `${redis.reachable ? '' : 'AWAY: '}${redis.says}`}`,
    `delivery   ${delivery}`,
    `backlog    ${count} rows in the outbox${oldest}`,
    `set aside  ${aside.retrying} retrying, ${aside.parked} parked, ${aside.waiting} waiting for their topics, ${aside.dead} dead letters`,
    ...renderGapHolders(status),
  ];
}

function showGaps({ gaps }: SourceStatus): Cell {
  if (gaps === null) return 0;
  return `${gaps.missing} ${gaps.missing === 1n ? 'id' : 'ids'} (oldest ${showDuration(gaps.oldestMs)})`;
}

function renderSources({ sources, members }: Status): readonly string[] {
  const alive = new Set(members.filter(({ kind }) => kind === 'writer').map(({ id }) => id));
  const rows = sources.map((source) => [
    `${source.name}${source.configured ? '' : ' (not configured)'}${source.mode === 'consume' ? ' (consume)' : ''}`,
    source.halted === null ? 'running' : 'HALTED',
    source.leader === null || alive.has(source.leader) ? source.leader : `${source.leader} (gone)`,
    source.electedBy,
    source.epoch,
    source.watermark,
    source.highest,
    source.distance,
    showGaps(source),
    source.gapMode,
  ]);
  return renderTable(
    ['SOURCE', 'STATE', 'LEADER', 'ELECTED BY', 'EPOCH', 'WATERMARK', 'HIGHEST', 'BEHIND', 'OPEN GAPS', 'GAP MODE'],
    rows,
  );
}

function showMarker({ marker }: LaneStatus): Cell {
  return marker === -1 ? 'none' : marker;
}

export function renderLanes(lanes: readonly LaneStatus[]): readonly string[] {
  const rows = lanes.map((lane) => [
    lane.lane,
    lane.source,
    lane.state,
    lane.holder,
    lane.lease,
    lane.deliveredId,
    showMarker(lane),
    lane.capped ? `${lane.backlog}+` : lane.backlog,
    showDuration(lane.oldestAgeMs),
  ]);
  return renderTable(['LANE', 'SOURCE', 'STATE', 'HOLDER', 'LEASE', 'DELIVERED', 'MARKER', 'BACKLOG', 'OLDEST'], rows);
}

function renderMembers({ members }: Status): readonly string[] {
  const rows = members.map(({ id, kind, silentMs, upMs }) => [kind, id, showDuration(silentMs), showDuration(upMs)]);
  return renderTable(['PROCESS', 'ID', 'LAST HEARD', 'UP'], rows);
}

/** What needs somebody's attention, one sentence each. */
function renderProblems({ lanes, sources, stalls, waiting }: Status): readonly string[] {
  const problems = [
    ...waiting.map((each) => {
      const { rows, sinceMs, reason } = each;
      const what = `${showWaitingTarget(each)} takes nothing (${reason})`;
      return `${what}: ${rows} rows wait aside, the first for ${showDuration(sinceMs)}; ${whatToDo(each)}`;
    }),
    // Halts are told below, with more words.
    ...stalls
      .filter(({ cause }) => cause !== 'source-halted' && cause !== 'lane-halted')
      .map((stall) => `stalled  ${explainStall(stall)}`),
    ...sources.flatMap(({ name, halted }) => (halted === null ? [] : [`source ${name} is halted: ${halted}`])),
    ...sources.flatMap(({ name, problem }) => (problem === null ? [] : [`source ${name}: ${problem}`])),
    ...sources
      .filter(({ gapMode, configured }) => configured && (gapMode === 'locks' || gapMode === 'time'))
      .map(({ name, gapMode, gapModeReason, gapModePromise, gapModeBetter }) => {
        const better = gapModeBetter === null ? '' : `; ${gapModeBetter}`;
        return `source ${name} is in gap mode ${gapMode} (${gapModeReason}): ${gapModePromise}${better}`;
      }),
    ...lanes
      .filter(({ state }) => state !== 'running')
      .map(({ lane, state, why }) => `lane ${lane} is ${state}: ${why}`),
  ];
  return problems.length === 0 ? [] : ['', ...problems];
}
