/**
 * What open gaps cost: a writer moves rows that wait, behind gaps that stay open; how soon it starts, and how soon a late row goes.
 * A sparse table is the same without anything that keeps its gaps open.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, DeploymentServers } from '#testkit';
import { createGapScene, type GapScene, type ShapeName } from './gap-scene.ts';
import { measureLate } from './measure-late.ts';
import { peakRssMb } from './process-usage.ts';
import { countStatements } from './statement-counter.ts';
import { tally } from './tally.ts';

export interface GapsCase {
  readonly shape: ShapeName;
  readonly missing: number;
  /** The gaps close as soon as they may. */
  readonly released?: true;
  /** Also how soon late rows go. */
  readonly late?: true;
  /** Also what a writer without gaps asks when it has nothing to do. */
  readonly idle?: true;
}

export interface GapsResult extends GapsCase {
  /** Once the writer has found out which gaps it need not read again. */
  readonly rowsPerSecond: number;
  /** To rows/s without gaps, measured just before and just after. */
  readonly toDense: number;
  readonly cpuUsPerRow: number;
  /** Of the transaction that appends, without the reading. */
  readonly appendUsPerRow: number;
  /** From the start of the process to its first append. */
  readonly startMs: number;
  readonly peakMb: number;
  /** From the commit of a row to its append. */
  readonly youngMs: readonly number[];
  readonly oldMs: readonly number[];
  readonly idleStatementsPerSecond: number | null;
}

const MILLION = 1_000_000;
const TEN_THOUSAND = 10_000;

/** The first is what the others are compared with. */
export const GAPS_CASES: readonly GapsCase[] = [
  { shape: 'dense', missing: 0, late: true, idle: true },
  { shape: 'steps of 3', missing: TEN_THOUSAND },
  { shape: 'steps of 3', missing: MILLION },
  { shape: 'steps of 10', missing: MILLION },
  { shape: 'single holes', missing: TEN_THOUSAND },
  { shape: 'single holes', missing: MILLION, late: true },
  { shape: 'steps of 20', missing: 0, released: true },
  { shape: 'random ids', missing: 0, released: true },
];

const SETTLE_MS = 2_500;
const IDLE_SETTLE_MS = 3_000;
const IDLE_MS = 10_000;
const READY_DEADLINE_MS = 60_000;

export async function measureGaps(
  servers: DeploymentServers,
  rows: number,
  each: GapsCase,
  samples: number,
): Promise<GapsResult> {
  const before = await measureDense(servers, rows);
  const found = await measureCase(servers, rows, each, samples);
  const after = await measureDense(servers, rows);
  return { ...found, toDense: found.rowsPerSecond / ((before + after) / 2) };
}

/** Other work on the machine comes and goes: so each case has its own. */
async function measureDense(servers: DeploymentServers, rows: number): Promise<number> {
  const dense = await measureCase(servers, rows, { shape: 'dense', missing: 0 }, 0);
  return dense.rowsPerSecond;
}

async function measureCase(
  servers: DeploymentServers,
  rows: number,
  each: GapsCase,
  samples: number,
): Promise<Omit<GapsResult, 'toDense'>> {
  const scene = await createGapScene(servers, each.shape, each.missing);
  try {
    await scene.addFresh(rows);
    if (each.released === true) await scene.release();
    const startedMs = Date.now();
    const writer = scene.deployment.writer();
    const done = await tally([writer], 'moved', rows);
    const figures = {
      rowsPerSecond: settledRate(writer),
      cpuUsPerRow: done.cpuUs / done.rows,
      appendUsPerRow: (done.tookMs * 1_000) / done.rows,
      startMs: firstMove(writer) - startedMs,
      peakMb: peakRssMb(writer.pid),
    };
    const late = each.late === true ? await measureLate(scene, writer, samples) : { youngMs: [], oldMs: [] };
    await scene.release();
    const idleStatementsPerSecond = each.idle === true ? await idleStatements(scene, servers, writer) : null;
    await scene.deployment.stopAll();
    return { ...each, ...figures, ...late, idleStatementsPerSecond };
  } finally {
    await scene.drop();
  }
}

/** Of the time from SETTLE_MS after the first append to the last one: a writer that starts has to read all gaps first. */
function settledRate(writer: App): number {
  const lines = writer.log.filter(({ event, rows }) => event === 'moved' && Number(rows) > 0);
  const fromMs = firstMove(writer) + SETTLE_MS;
  const before = lines.findLast(({ time }) => Number(time) <= fromMs);
  const after = lines.filter(({ time }) => Number(time) > fromMs);
  const rows = after.reduce((sum, line) => sum + Number(line.rows), 0);
  return (rows * 1_000) / (Number(after.at(-1)?.time) - Number(before?.time));
}

function firstMove(writer: App): number {
  const line = writer.log.find(({ event, rows }) => event === 'moved' && Number(rows) > 0);
  return Number(line?.time);
}

/** Of a writer that started with nothing to do. */
async function idleStatements(scene: GapScene, servers: DeploymentServers, before: App): Promise<number> {
  await before.stop();
  const counter = await countStatements(servers.database);
  try {
    const writer = scene.deployment.writer({ DB_HOST: counter.host, DB_PORT: String(counter.port) });
    await writer.waitForLog((line) => line.event === 'term-begun', READY_DEADLINE_MS, 'the term has begun');
    await sleep(IDLE_SETTLE_MS);
    const [counted, sinceMs] = [counter.statements, performance.now()];
    await sleep(IDLE_MS);
    const perSecond = ((counter.statements - counted) * 1_000) / (performance.now() - sinceMs);
    await writer.stop();
    return perSecond;
  } finally {
    await counter.stop();
  }
}
