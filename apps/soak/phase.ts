/**
 * A phase of the soak: a MariaDB of its own with one innodb_autoinc_lock_mode, a deployment, the load until it has its rows, then
 * everything is waited for, read back and judged.
 */
import { type Clock, systemClock } from '#runtime';
import {
  type BookResult,
  createDeployment,
  type Deployment,
  type HistoryWriter,
  type MariadbServer,
  ROWLESS_KEY,
  ROWLESS_TABLE,
  ROWLESS_WATERMARK,
  type RowlessLoad,
  type RowlessProgress,
  rowlessTables,
  seededRandom,
  startMariadb,
  startRowlessLoad,
} from '#testkit';
import { readBack } from './read-back.ts';
import { Relay, SETTINGS } from './relay.ts';

export interface PhaseOptions {
  readonly redisUrl: string;
  readonly kafkaBootstrap: string;
  readonly lockMode: number;
  /** A child table refers to the source. */
  readonly child: boolean;
  readonly rows: number;
  /** Monotonic; the load ends then. */
  readonly untilMs: number;
  readonly seed: number;
  readonly connections: number;
  readonly longMs: number;
  readonly senders: number;
  /** Between two faults of server or writer; null: none. */
  readonly faultEveryMs: { readonly min: number; readonly max: number } | null;
  /** Settings of the relay over the soak's own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly history: HistoryWriter | null;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

export interface PhaseResult extends BookResult {
  readonly gaps: { readonly opened: number; readonly closed: number; readonly open: number };
  readonly progress: Readonly<RowlessProgress>;
  readonly restarts: number;
  readonly writerKills: number;
  /** Everything else that is not as it must be. */
  readonly findings: readonly string[];
}

const BUFFER_POOL_MB = 384;
const LOOK_EVERY_MS = 200;
const SAY_EVERY_MS = 10_000;
const DRAIN_DEADLINE_MS = 300_000;
const GAPS_DEADLINE_MS = 120_000;
const BULK_CONNECTIONS = 3;
const HOLDERS = 4;

/** In mode 0 a statement that waits keeps everybody from inserting, in modes 0 and 1 an INSERT .. SELECT does. */
const WAITS = [
  { waits: 0.25, selectWaits: 0.1, selects: 'always' },
  { waits: 1, selectWaits: 0.3, selects: 'windows' },
  { waits: 1, selectWaits: 1, selects: 'always' },
] as const;

export async function runPhase(options: PhaseOptions): Promise<PhaseResult> {
  const { lockMode, redisUrl, kafkaBootstrap } = options;
  const args = [`--innodb-autoinc-lock-mode=${lockMode}`, '--local-infile=1'];
  const mariadb = await startMariadb({ bufferPoolMb: BUFFER_POOL_MB, args });
  try {
    const deployment = await createDeployment({
      name: 'krs_soak',
      servers: { database: mariadb, redisUrl, kafkaBootstrap },
      source: { table: ROWLESS_TABLE, keyColumn: ROWLESS_KEY, watermarkColumn: ROWLESS_WATERMARK },
      settings: { ...SETTINGS, ...options.settings },
    });
    try {
      for (const sql of rowlessTables({ child: options.child })) await deployment.query(sql);
      await deployment.init();
      return await new Phase(options, mariadb, deployment).run();
    } finally {
      await deployment.drop();
    }
  } finally {
    await mariadb.stop();
  }
}

/** Some rows are replaced before they are read, and some commits are never decided: so much more is committed than asked for. */
const COMMITTED_SHARE = 1.01;

class Phase {
  readonly #options: PhaseOptions;
  readonly #mariadb: MariadbServer;
  readonly #deployment: Deployment;
  readonly #relay: Relay;
  readonly #clock: Clock = systemClock;
  readonly #findings: string[] = [];
  #behind = false;
  #restarts = 0;
  #writerKills = 0;

  constructor(options: PhaseOptions, mariadb: MariadbServer, deployment: Deployment) {
    this.#options = options;
    this.#mariadb = mariadb;
    this.#deployment = deployment;
    this.#relay = new Relay(deployment, options.senders);
  }

  async run(): Promise<PhaseResult> {
    const { seed, lockMode, child, connections, longMs, history } = this.#options;
    history?.run({ seed, lockMode, child, table: ROWLESS_TABLE, topic: this.#deployment.topic });
    this.#relay.start();
    try {
      const load = await startRowlessLoad({
        ...{ target: this.#deployment.database, seed, connections, bulkConnections: BULK_CONNECTIONS },
        ...{ holders: HOLDERS, longMs, mix: { ...(WAITS[lockMode] ?? WAITS[1]), child } },
        relayIsBehind: () => this.#behind,
        write: history === null ? null : (transaction) => history.transaction(transaction),
      });
      await Promise.race([this.#underLoad(load), load.fault]).finally(() => load.stop());
      const openGaps = await this.#drain();
      await this.#relay.stop();
      this.#findings.push(...this.#relay.falls);
      const result = await readBack(this.#deployment, load.book, history);
      const gaps = { ...this.#relay.gaps(), open: openGaps };
      const { progress } = load;
      return {
        ...result,
        ...{ gaps, progress, restarts: this.#restarts, writerKills: this.#writerKills, findings: this.#findings },
      };
    } finally {
      await this.#relay.close();
    }
  }

  async #underLoad(load: RowlessLoad): Promise<void> {
    const { rows, untilMs, signal, seed, faultEveryMs, say } = this.#options;
    const random = seededRandom(seed);
    const pause = () =>
      faultEveryMs === null
        ? Number.POSITIVE_INFINITY
        : faultEveryMs.min + random() * (faultEveryMs.max - faultEveryMs.min);
    let faultAtMs = this.#clock.nowMs() + pause();
    let sayAtMs = 0;
    while (load.book.committedTokens < rows * COMMITTED_SHARE && this.#clock.nowMs() < untilMs && !signal.aborted) {
      const nowMs = this.#clock.nowMs();
      if (nowMs >= sayAtMs) {
        say(describe(load, this.#behind));
        sayAtMs = nowMs + SAY_EVERY_MS;
      }
      if (nowMs >= faultAtMs) {
        await this.#fault(random);
        faultAtMs = this.#clock.nowMs() + pause();
      }
      this.#behind = (await this.#relay.standing()).behind;
      await this.#clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #fault(random: () => number): Promise<void> {
    const chance = random();
    if (chance < 0.4) {
      this.#options.say('SIGKILL to MariaDB, and started again');
      await this.#mariadb.kill();
      await this.#mariadb.restart();
      this.#restarts += 1;
    } else if (chance < 0.6) {
      this.#options.say('MariaDB restarted');
      await this.#mariadb.restart();
      this.#restarts += 1;
    } else {
      this.#options.say('SIGKILL to a writer, and started again');
      await this.#relay.killWriter(Math.floor(random() * 2));
      this.#writerKills += 1;
    }
  }

  /** How many gaps are open in the end. */
  async #drain(): Promise<number> {
    const { say } = this.#options;
    say('load ended: waiting for its rows and gaps');
    const startedMs = this.#clock.nowMs();
    let drainedMs: number | null = null;
    for (;;) {
      const { drained, openGaps } = await this.#relay.standing();
      const nowMs = this.#clock.nowMs();
      if (drained) drainedMs ??= nowMs;
      if (drained && openGaps === 0) return 0;
      if (drainedMs !== null && nowMs - drainedMs > GAPS_DEADLINE_MS) {
        this.#findings.push(`${openGaps} gaps are open ${GAPS_DEADLINE_MS / 1_000} s after the last transaction ended`);
        return openGaps;
      }
      if (nowMs - startedMs > DRAIN_DEADLINE_MS) {
        this.#findings.push(`not everything was moved and delivered within ${DRAIN_DEADLINE_MS / 1_000} s`);
        return openGaps;
      }
      await this.#clock.sleep(LOOK_EVERY_MS);
    }
  }
}

function describe({ book, progress }: RowlessLoad, behind: boolean): string {
  const { dangerous, dangerousAndSlow, commits, rollbacks, unknown, prepared, kills, failed } = progress;
  const failures = [...failed].map(([errno, count]) => `${errno}: ${count}`).join(', ');
  return (
    `${book.committedTokens} row versions committed${behind ? ' (relay behind)' : ''}; ${dangerous} dangerous statements, ` +
    `${dangerousAndSlow} of them slow; ${commits} commits, ${rollbacks} rollbacks, ${unknown} unknown, ${prepared} prepared, ` +
    `${kills} KILLs; errors ${failures || 'none'}`
  );
}
