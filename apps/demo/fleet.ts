/** The demo's processes: writers and senders with names, started, killed and replaced, and what each says about itself. */
import type { App, Deployment } from '#testkit';

export type Kind = 'writer' | 'sender';

export interface FleetProcess {
  /** `sender-3`: also its instance id, so that the lane table names it. */
  readonly name: string;
  readonly kind: Kind;
  readonly app: App;
  /** What it delivered (a sender) or moved (a writer), as it last said. */
  rows: number;
  killed: boolean;
}

const SCRAPE_DEADLINE_MS = 2_000;
const READY_DEADLINE_MS = 60_000;
const ROWS_METRIC: Record<Kind, string> = {
  sender: 'kafka_row_sender_delivered_rows_total',
  writer: 'kafka_row_sender_moved_rows_total',
};

export class Fleet {
  readonly processes: FleetProcess[] = [];
  readonly #deployment: Deployment;
  readonly #counts: Record<Kind, number> = { writer: 0, sender: 0 };

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  /** What the writer that leads says of its gap mode and what that promises. */
  async gapMode(): Promise<string> {
    const writers = this.processes.filter(({ kind }) => kind === 'writer');
    const said = writers.map(({ app }) =>
      app.waitForLog(({ gapMode }) => gapMode !== undefined, READY_DEADLINE_MS, 'gap mode'),
    );
    const { msg } = await Promise.any(said);
    return String(msg);
  }

  start(kind: Kind): FleetProcess {
    this.#counts[kind] += 1;
    const name = `${kind}-${this.#counts[kind]}`;
    const settings = { INSTANCE_ID: name, HTTP_PORT: '0' };
    const app = kind === 'writer' ? this.#deployment.writer(settings) : this.#deployment.sender(settings);
    const started: FleetProcess = { name, kind, app, rows: 0, killed: false };
    this.processes.push(started);
    return started;
  }

  async kill(victim: FleetProcess): Promise<void> {
    victim.killed = true;
    await victim.app.kill();
  }

  /** All run and are past their first look at the servers. */
  async ready(): Promise<void> {
    await Promise.all(
      this.processes.map(({ app }) =>
        app.waitForLog(({ port }) => typeof port === 'number', READY_DEADLINE_MS, 'port'),
      ),
    );
  }

  get running(): readonly FleetProcess[] {
    return this.processes.filter(({ app }) => app.running);
  }

  /** Those that have ended although nobody killed them. */
  get fallen(): readonly FleetProcess[] {
    return this.processes.filter(({ app, killed }) => !app.running && !killed);
  }

  /** Address of a process's metrics, once it serves them. */
  addressOf({ app }: FleetProcess): string | null {
    const line = app.log.find(({ port }) => typeof port === 'number');
    return line === undefined ? null : `http://${line.host}:${line.port}`;
  }

  /** Asks every process for its metrics; one that does not answer keeps its last figures. */
  async scrape(): Promise<void> {
    await Promise.all(this.running.map((process) => this.#scrapeOne(process)));
  }

  async #scrapeOne(process: FleetProcess): Promise<void> {
    const address = this.addressOf(process);
    if (address === null) return;
    try {
      const response = await fetch(`${address}/metrics`, { signal: AbortSignal.timeout(SCRAPE_DEADLINE_MS) });
      process.rows = sumOf(await response.text(), ROWS_METRIC[process.kind]);
    } catch {
      // Killed in the middle of its answer.
    }
  }
}

/** Sum over the labels of a metric in Prometheus text. */
function sumOf(text: string, metric: string): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
      sum += Number(line.slice(line.lastIndexOf(' ')));
  }
  return sum;
}
