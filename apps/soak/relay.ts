/** Two writers and some senders, started again when they are killed; what they say of gaps; how far they are. */
import { loadConfig } from '#config';
import { createPool, type Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { listWatermarks, sumGaps } from '#outbox-storage';
import { asRelayError, systemClock } from '#runtime';
import { type App, type Deployment, ROWLESS_TABLE } from '#testkit';

/** Short locks and leases, so that a take-over after a kill takes seconds. */
export const SETTINGS = {
  WRITER_LOCK_TTL: '3',
  LANE_LEASE: '5',
  OUTBOX_WRITER_POLL_INTERVAL: '0.1',
  KAFKA_SENDER_POLL_INTERVAL: '0.2',
  KAFKA_TRANSACTION_TIMEOUT: '10',
  DB_CONNECT_TIMEOUT: '3',
  DB_READ_TIMEOUT: '10',
  SHUTDOWN_TIMEOUT: '10',
} as const;

const WRITERS = 2;
/** Rows in front of the writer, and rows in the outbox, from which on the relay counts as behind. */
const AHEAD_ROWS_MAX = 6_000;
const OUTBOX_ROWS_MAX = 50_000;
const STOP_DEADLINE_MS = 30_000;
const LOOKS_MAX = 20;
const LOOK_PAUSE_MS = 500;

export interface Standing {
  readonly behind: boolean;
  /** Every committed row is moved and delivered. */
  readonly drained: boolean;
  readonly openGaps: number;
}

export class Relay {
  readonly #deployment: Deployment;
  readonly #senders: number;
  readonly #pool: Pool;
  readonly #tables: OutboxTables;
  #writers: App[] = [];
  #others: App[] = [];
  /** Processes that ended though nobody asked. */
  readonly falls: string[] = [];
  readonly #asked = new Set<App>();

  constructor(deployment: Deployment, senders: number) {
    this.#deployment = deployment;
    this.#senders = senders;
    this.#tables = loadConfig({ env: deployment.env }).config.tables;
    const { host, port, user, password, name } = deployment.database;
    this.#pool = createPool({
      ...{ host, port, user, password, database: name, ssl: null, connectionsMax: 2 },
      ...{ connectTimeoutMs: 15_000, readTimeoutMs: 30_000 },
    });
  }

  start(): void {
    this.#writers = Array.from({ length: WRITERS }, () => this.#watch(this.#deployment.writer()));
    this.#others = Array.from({ length: this.#senders }, () => this.#watch(this.#deployment.sender()));
  }

  /** SIGKILL to one writer; another takes its place at once. */
  async killWriter(index: number): Promise<void> {
    const victim = this.#writers[index % WRITERS];
    if (victim === undefined) return;
    this.#asked.add(victim);
    await victim.kill();
    this.#writers[index % WRITERS] = this.#watch(this.#deployment.writer());
  }

  /** A machine or a server that is too busy to answer is asked again. */
  async standing(): Promise<Standing> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#look();
      } catch (thrown) {
        if (asRelayError(thrown).verdict !== 'retry' || attempt >= LOOKS_MAX) throw thrown;
        await systemClock.sleep(LOOK_PAUSE_MS);
      }
    }
  }

  async #look(): Promise<Standing> {
    const [state] = await listWatermarks(this.#pool, this.#tables);
    const position = state?.position ?? 0n;
    const ahead = (offset: number) =>
      this.#pool.query(`SELECT id FROM ${ROWLESS_TABLE} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ${offset}`, [position]);
    const waiting = (offset: number) =>
      this.#pool.query(`SELECT id FROM ${this.#tables.outbox} ORDER BY id LIMIT 1 OFFSET ${offset}`);
    const behind = (await ahead(AHEAD_ROWS_MAX)).length > 0 || (await waiting(OUTBOX_ROWS_MAX)).length > 0;
    const drained = !behind && (await ahead(0)).length === 0 && (await waiting(0)).length === 0;
    const gaps = await sumGaps(this.#pool, this.#tables);
    return { behind, drained, openGaps: Number(gaps.get(state?.source ?? '')?.missing ?? 0n) };
  }

  /** Gaps that were opened and closed without a row, as the writers' logs sum them up; what a killed one had not said is missing. */
  gaps(): { readonly opened: number; readonly closed: number } {
    const lines = this.#deployment.apps.flatMap(({ log }) => log.filter(({ event }) => event === 'gaps'));
    const sum = (field: string) => lines.reduce((total, line) => total + Number(line[field] ?? 0), 0);
    return { opened: sum('opened'), closed: sum('closed') };
  }

  /** SIGTERM to all; each must end with 0. */
  async stop(): Promise<void> {
    const running = [...this.#writers, ...this.#others].filter((app) => app.running);
    for (const app of running) this.#asked.add(app);
    const exits = await Promise.all(running.map((app) => app.stop(STOP_DEADLINE_MS)));
    for (const [index, { code, signal }] of exits.entries()) {
      if (code !== 0) this.falls.push(`a process ended with ${code ?? signal} on SIGTERM: ${running[index]?.output()}`);
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #watch(app: App): App {
    void app.exit.then(({ code, signal }) => {
      if (!this.#asked.has(app)) this.falls.push(`a process ended by itself with ${code ?? signal}: ${app.output()}`);
    });
    return app;
  }
}
