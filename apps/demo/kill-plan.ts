/** The misfortunes of the demo: the active writer and two senders are killed under load, and replaced once others took over. */
import { systemClock } from '#runtime';
import type { Fleet, FleetProcess } from './fleet.ts';
import type { Look } from './look.ts';

interface Stroke {
  /** Share of the rows that are delivered when it falls. */
  readonly at: number;
  readonly kind: FleetProcess['kind'];
}

const STROKES: readonly Stroke[] = [
  { at: 0.2, kind: 'writer' },
  { at: 0.45, kind: 'sender' },
  { at: 0.65, kind: 'sender' },
];

interface Wound {
  readonly victim: FleetProcess;
  readonly lanes: readonly number[];
  readonly atMs: number;
}

export class KillPlan {
  readonly #fleet: Fleet;
  readonly #note: (text: string) => void;
  #strokes: readonly Stroke[];
  #wound: Wound | null = null;

  constructor(fleet: Fleet, note: (text: string) => void, strokes: readonly Stroke[] = STROKES) {
    this.#fleet = fleet;
    this.#note = note;
    this.#strokes = strokes;
  }

  /** Nothing is left to do: every stroke has fallen and what it hit was taken over. */
  get done(): boolean {
    return this.#strokes.length === 0 && this.#wound === null;
  }

  /** Called with every look; one misfortune at a time. */
  async step(look: Look, target: number): Promise<void> {
    if (this.#wound !== null) {
      this.#heal(this.#wound, look);
      return;
    }
    const [stroke, ...rest] = this.#strokes;
    if (stroke === undefined || look.delivered < stroke.at * target) return;
    const victim = this.#victim(stroke.kind, look);
    if (victim === null) return;
    this.#strokes = rest;
    const lanes = look.lanes.get(victim.name) ?? [];
    const what = stroke.kind === 'writer' ? 'the active writer' : `which holds lanes ${lanes.join(' ')}`;
    this.#note(`SIGKILL ${victim.name} (pid ${victim.app.pid}), ${what}`);
    await this.#fleet.kill(victim);
    this.#wound = { victim, lanes, atMs: systemClock.nowMs() };
  }

  /** The writer that leads, or the sender with the most lanes; null while there is none. */
  #victim(kind: FleetProcess['kind'], look: Look): FleetProcess | null {
    const running = this.#fleet.running.filter((process) => process.kind === kind);
    if (kind === 'writer') return running.find(({ name }) => name === look.leader) ?? null;
    const held = (process: FleetProcess) => (look.lanes.get(process.name) ?? []).length;
    const most = running.toSorted((a, b) => held(b) - held(a))[0];
    return most === undefined || held(most) === 0 ? null : most;
  }

  #heal({ victim, lanes, atMs }: Wound, look: Look): void {
    const others = this.#fleet.running.filter(({ kind }) => kind === victim.kind);
    // The last of its kind has nobody to take over from it.
    const alone = others.length === 0;
    const taken =
      victim.kind === 'writer' ? look.leader !== victim.name : (look.lanes.get(victim.name) ?? []).length === 0;
    if (!alone && !taken) return;
    this.#wound = null;
    const tookS = ((systemClock.nowMs() - atMs) / 1_000).toFixed(1);
    if (taken && victim.kind === 'writer') this.#note(`${look.leader} leads after ${tookS} s (epoch ${look.epoch})`);
    if (taken && victim.kind === 'sender') this.#note(`after ${tookS} s its lanes are with ${whereAre(lanes, look)}`);
    const replacement = this.#fleet.start(victim.kind);
    this.#note(`started ${replacement.name} in place of ${victim.name}`);
  }
}

function whereAre(lanes: readonly number[], look: Look): string {
  const holders = [...look.lanes].map(([name, held]) => ({ name, held: held.filter((lane) => lanes.includes(lane)) }));
  return holders
    .filter(({ held }) => held.length > 0)
    .map(({ name, held }) => `${name} (${held.join(' ')})`)
    .join(', ');
}
