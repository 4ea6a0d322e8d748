/** The demo's progress: a block redrawn in place on a terminal, a plain line now and then otherwise; notes stay above it. */
import type { LoadProgress } from '#testkit';
import type { Fleet, FleetProcess } from './fleet.ts';
import type { Look } from './look.ts';

export interface Frame {
  readonly target: number;
  readonly look: Look;
  readonly load: LoadProgress;
  readonly fleet: Fleet;
  /** Rows a second since the last frame. */
  readonly rate: number;
}

export interface Screen {
  /** A line that stays. */
  note(text: string): void;
  draw(frame: Frame): void;
  /** Leaves the last frame where it is. */
  end(): void;
}

const BAR_WIDTH = 28;
const ERASE_LINE = '\u001b[2K';
const ERASE_BELOW = '\u001b[0J';
const up = (lines: number): string => (lines === 0 ? '\r' : `\u001b[${lines}A\r`);

export const number = (value: number): string => value.toLocaleString('en-US');

export function createScreen(output: NodeJS.WriteStream, startedMs: number): Screen {
  const stamp = (text: string) => `${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5)} s  ${text}`;
  return output.isTTY ? new Block(output, stamp) : new Lines(output, stamp);
}

class Lines implements Screen {
  readonly #output: NodeJS.WriteStream;
  readonly #stamp: (text: string) => string;

  constructor(output: NodeJS.WriteStream, stamp: (text: string) => string) {
    this.#output = output;
    this.#stamp = stamp;
  }

  note(text: string): void {
    this.#output.write(`${this.#stamp(text)}\n`);
  }

  draw({ target, look, fleet, rate }: Frame): void {
    const { committed, waiting, delivered } = look;
    const processes = fleet.running.map((process) => `${process.name} ${shortState(process, look)}`).join(', ');
    const rows = `rows in ${number(committed)}, in the outbox ${number(waiting)}, delivered ${number(delivered)}`;
    this.note(`${rows} of ${number(target)} (${number(rate)}/s) | ${processes}`);
  }

  end(): void {}
}

const shortState = (process: FleetProcess, look: Look): string => {
  if (process.kind === 'writer') return process.name === look.leader ? 'leads' : 'stands by';
  return `[${(look.lanes.get(process.name) ?? []).join(' ')}] ${number(process.rows)}`;
};

class Block implements Screen {
  readonly #output: NodeJS.WriteStream;
  readonly #stamp: (text: string) => string;
  #drawn: readonly string[] = [];

  constructor(output: NodeJS.WriteStream, stamp: (text: string) => string) {
    this.#output = output;
    this.#stamp = stamp;
  }

  note(text: string): void {
    this.#write([this.#stamp(text)], this.#drawn);
  }

  draw(frame: Frame): void {
    this.#write([], block(frame));
  }

  end(): void {
    this.#drawn = [];
  }

  /** `kept` goes above the block, which is drawn anew. No line may wrap, or the way back up would be wrong. */
  #write(kept: readonly string[], drawn: readonly string[]): void {
    const width = this.#output.columns || 80;
    const fitting = drawn.map((line) => line.slice(0, width - 1));
    const lines = [...kept, ...fitting].map((line) => `${ERASE_LINE}${line}\n`).join('');
    this.#output.write(`${up(this.#drawn.length)}${lines}${ERASE_BELOW}`);
    this.#drawn = drawn;
  }
}

function bar(name: string, value: number, total: number): string {
  const share = total === 0 ? 0 : Math.min(1, value / total);
  const full = Math.round(share * BAR_WIDTH);
  const drawn = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
  return `  ${name.padEnd(15)} ${drawn} ${number(value).padStart(9)} of ${number(total)}`;
}

function block({ target, look, load, fleet, rate }: Frame): string[] {
  const { commits, rollbacks, bulkInserts, pauses, rolledBackRows } = load;
  return [
    '',
    bar('rows in', look.committed, target),
    bar('in the outbox', look.waiting, target),
    bar('delivered', look.delivered, target),
    `  ${number(rate)} rows/s delivered, ${look.gaps} open gaps; ${number(commits)} commits, ${number(rollbacks)} rollbacks`,
    `  of ${number(rolledBackRows)} rows, ${bulkInserts} bulk inserts, ${pauses} late commits`,
    '',
    ...fleet.processes.map((process) => row(process, look)),
    '',
  ];
}

function row(process: FleetProcess, look: Look): string {
  const { name, kind, app, killed, rows } = process;
  const verb = kind === 'writer' ? 'moved' : 'delivered';
  const figures = `${verb.padEnd(9)} ${number(rows).padStart(9)}`;
  return `  ${name.padEnd(10)} pid ${String(app.pid).padEnd(7)} ${stateOf(process, look).padEnd(28)} ${killed || app.running ? figures : ''}`;
}

function stateOf({ name, kind, app, killed }: FleetProcess, look: Look): string {
  const held = look.lanes.get(name) ?? [];
  if (killed) return held.length > 0 ? `KILLED, lanes ${held.join(' ')} in its name` : 'KILLED';
  if (!app.running) return 'ended';
  if (kind === 'writer') return name === look.leader ? `LEADER, epoch ${look.epoch}` : 'standby';
  return held.length === 0 ? 'no lanes' : `lanes ${held.join(' ')}`;
}
