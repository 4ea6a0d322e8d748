/** What tests see of the processes from outside: who leads, who holds which lanes, who delivered what and when. */
import { type App, type Deployment, type LogLine, until } from '#testkit';

/** Milliseconds since the epoch, as log lines have them. */
export const timeOf = (line: LogLine): number => Number(line.time);

export const isEvent =
  (kind: string, sinceMs = 0) =>
  (line: LogLine): boolean =>
    line.event === kind && timeOf(line) >= sinceMs;

export interface Delivery {
  readonly app: App;
  readonly atMs: number;
  readonly rows: number;
  readonly lanes: readonly number[];
}

/** Transactions that ended well, by all processes, in the order of their times. Needs LOG_LEVEL debug. */
export function deliveries(deployment: Deployment): Delivery[] {
  return deployment.apps
    .flatMap((app) =>
      app.log
        .filter((line) => line.event === 'delivered' && Array.isArray(line.lanes))
        .map((line) => ({
          app,
          atMs: timeOf(line),
          rows: Number(line.rows),
          lanes: line.lanes as readonly number[],
        })),
    )
    .sort((a, b) => a.atMs - b.atMs);
}

/** Instance id of a process, as it names itself in the tables. */
const instanceOf = (app: App): string => String(app.log[0]?.instance ?? '?');

/** Lanes in the name of a process, by the lane table. */
export async function lanesOf(deployment: Deployment, app: App): Promise<number[]> {
  const rows = await deployment.query<{ lane: number }>(
    'SELECT lane FROM kafka_row_sender_lane WHERE holder = ? ORDER BY lane',
    [`${deployment.name}.${instanceOf(app)}`],
  );
  return rows.map(({ lane }) => lane);
}

/** The one of these writers that the watermark row names and that runs. */
export async function leaderOf(deployment: Deployment, writers: readonly App[], deadlineMs: number): Promise<App> {
  return until(
    'a leader',
    async () => {
      const [row] = await deployment.query<{ leader: string | null }>('SELECT leader FROM kafka_row_sender_watermark');
      return writers.find((writer) => writer.running && instanceOf(writer) === row?.leader);
    },
    deadlineMs,
  );
}

/** Resolves when each of the lanes is delivered by a process other than `not` after `sinceMs`; with the last one's time. */
export async function deliveredElsewhere(
  deployment: Deployment,
  lanes: readonly number[],
  { not, sinceMs, deadlineMs }: { readonly not: App; readonly sinceMs: number; readonly deadlineMs: number },
): Promise<number> {
  return until(
    `lanes ${lanes.join(' ')} delivered by others`,
    () => {
      const seen = deliveries(deployment).filter(({ app, atMs }) => app !== not && atMs >= sinceMs);
      const first = lanes.map((lane) => seen.find((delivery) => delivery.lanes.includes(lane))?.atMs);
      return first.some((atMs) => atMs === undefined) ? null : Math.max(...(first as number[]));
    },
    deadlineMs,
  );
}

export const evenly = (deployment: Deployment, senders: readonly App[], deadlineMs: number): Promise<true> =>
  until(
    'lanes spread over the senders',
    async () => {
      const held = await Promise.all(senders.map((sender) => lanesOf(deployment, sender)));
      const counts = held.map((lanes) => lanes.length);
      const all = counts.reduce((sum, count) => sum + count, 0);
      return all > 0 && Math.max(...counts) - Math.min(...counts) <= 1;
    },
    deadlineMs,
  );
