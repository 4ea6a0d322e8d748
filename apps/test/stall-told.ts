/** What everybody tells of a stall, asked of a real process: log, `/healthz`, metrics, webhook, `status` and `doctor`. */
import assert from 'node:assert/strict';
import type { StallCause } from '#runtime';
import { type App, until } from '#testkit';
import { stalls as doctorStalls } from '../wiring/doctor/check-stalls.ts';
import type { Facts } from '../wiring/doctor/facts.ts';
import type { Status } from '../wiring/read-status.ts';

export const DEADLINE_MS = 45_000;

export interface Told {
  readonly kind: string;
  readonly cause?: string;
  readonly part?: string;
}

export interface Scene {
  readonly cause: StallCause;
  readonly part: RegExp;
  /** Null: 503 while no other rows come. */
  readonly healthz: 200 | 503 | null;
  /** Resolves when the fault is there and rows wait. */
  readonly make: () => Promise<unknown>;
  readonly mend: () => Promise<unknown> | unknown;
  /** While the database is away nobody can ask it. */
  readonly isAsked?: boolean;
  /** Told by a notification of its own. */
  readonly isToldOtherwise?: boolean;
}

export interface StallWorld {
  /** What the webhook got. */
  readonly told: readonly Told[];
  readonly statusNow: () => Promise<Status>;
}

export async function ask(app: App, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const line = await app.waitForLog(({ msg }) => msg === 'serving health and metrics', DEADLINE_MS);
  const answer = await fetch(`http://127.0.0.1:${line.port}${path}`);
  return { status: answer.status, body: await answer.text() };
}

/** `world`: where webhook and tables tell. */
export async function assertTold(
  app: App,
  { told, statusNow }: StallWorld,
  { cause, part, healthz, isAsked = true, isToldOtherwise = false }: Scene,
): Promise<void> {
  const fits = (each: { readonly cause?: unknown; readonly part?: unknown }) =>
    each.cause === cause && part.test(String(each.part));
  const line = await app.waitForLog(
    (each) => each.event === 'stalled' && fits({ cause: each.cause, part: each.part }),
    DEADLINE_MS,
    `stalled ${cause}`,
  );
  assert.ok(String(line.msg).includes(`: ${cause}: `), String(line.msg));
  await until(
    `${cause} in health and metrics`,
    async () => {
      const health = await ask(app, '/healthz');
      const { stalls, reasons } = JSON.parse(health.body);
      if (!stalls.some(fits) || health.status !== (healthz ?? health.status)) return false;
      const metrics = (await ask(app, '/metrics')).body;
      const has = (name: string) =>
        new RegExp(`^kafka_row_sender_${name}\\{cause="${cause}"\\} [1-9]`, 'm').test(metrics);
      return has('stalled_parts') && has('stalls_total') && (health.status === 200 || reasons.length > 0);
    },
    DEADLINE_MS,
  );
  assert.equal((await ask(app, '/livez')).status, 200);
  if (!isToldOtherwise)
    await until('webhook', () => told.some((each) => each.kind === 'stalled' && fits(each)), DEADLINE_MS);
  if (!isAsked) return;
  let status = await statusNow();
  await until(
    `${cause} in status`,
    async () => {
      status = await statusNow();
      return status.stalls.some(fits);
    },
    DEADLINE_MS,
  );
  const findings = doctorStalls.look({ relay: { status } } as unknown as Facts);
  assert.ok(
    findings.some(({ about, says }) => part.test(about) && says.includes(`: ${cause}: `)),
    JSON.stringify(findings),
  );
}
