/**
 * Knows for one process whether rows move: from what its sender and its writers say of their own progress, and from a look at the
 * tables now and then. Time is an argument; nothing is asked here, and nobody told: that is for `watch-stalls.ts`.
 *
 * What stands as a whole (the sender, a source that this process is to move) makes the process unhealthy. What stands in part
 * (a topic, a lane, rows set aside) is told and does not: a restart would mend nothing, and stop the rest.
 */
import { type SenderEvent, showTarget, type WriterEvent } from '#outbox';
import { causeOf, type LastFault, Progress, type RelayError, type Stall, type StallCause } from '#runtime';
import { judgeLook, livingOf, mergeStalls, type RelayLook } from './judge-stalls.ts';

export interface StallMonitorOptions {
  readonly roles: { readonly writer: boolean; readonly sender: boolean };
  /** Ids among the members. */
  readonly writerId: string;
  readonly senderId: string;
  readonly stallMs: number;
}

/** What a process tells of at most. */
const STALLS_MAX = 100;
/** They are told at once: nobody but an operator mends them. */
const AT_ONCE: ReadonlySet<StallCause> = new Set(['source-halted', 'lane-halted']);
const NEVER = Number.NEGATIVE_INFINITY;

interface TargetTrouble {
  readonly fault: LastFault;
  /** Set aside. */
  readonly rows: number;
  readonly sinceMs: number;
  /** Not said again until then: it is over. */
  readonly untilMs: number;
}

interface LaneMark {
  readonly deliveredId: number | null;
  readonly sinceMs: number;
}

export class StallMonitor {
  readonly sender = new Progress();
  readonly #options: StallMonitorOptions;
  /** Sources that this process is to move, if it leads them. */
  readonly #sources = new Map<string, Progress>();
  /** Those that it leads, or tries to: its own steps tell. Of the others the leader's heartbeat does. */
  readonly #leading = new Set<string>();
  /** Sources for which neither Redis nor the database gives a lock. */
  readonly #withoutLock = new Map<string, string>();
  readonly #targets = new Map<string, TargetTrouble>();
  #throttled: { readonly fault: LastFault; readonly untilMs: number } | null = null;
  readonly #lanes = new Map<number, LaneMark>();
  /** Since when the tables have shown it, by part and cause. */
  #seen: ReadonlyMap<string, { readonly stall: Stall; readonly sinceMs: number }> = new Map();
  readonly #ledAtMs = new Map<string, number>();
  #emptyAtMs = NEVER;
  #look: RelayLook | null = null;
  #lookFault: LastFault | null = null;
  /** Sources whose gaps are so many that no fresh rows are read, while late ones may well move. */
  readonly #atBound = new Map<string, { readonly sinceMs: number; readonly untilMs: number }>();

  constructor(options: StallMonitorOptions) {
    this.#options = options;
  }

  /** For a writer that begins: from now on the source is watched. */
  watchSource(name: string, nowMs: number): Progress {
    const progress = this.#sources.get(name) ?? new Progress();
    this.#sources.set(name, progress);
    this.#ledAtMs.set(name, nowMs);
    return progress;
  }

  onWriterEvent(event: WriterEvent, nowMs: number): void {
    if (event.kind === 'source-halted') {
      const { code, message } = event;
      const fault = { cause: causeOf({ code, details: {} }), text: `${code}: ${message}` };
      this.#sources.get(event.source)?.hindered(fault, nowMs);
    }
    if (event.kind === 'elected') this.#leading.add(event.source);
    if (event.kind === 'standing-by') this.#leading.delete(event.source);
    if (event.kind === 'gaps-at-bound') {
      const sinceMs = this.#atBound.get(event.source)?.sinceMs ?? nowMs;
      // Said with every step while it is so.
      this.#atBound.set(event.source, { sinceMs, untilMs: nowMs + this.#options.stallMs });
    }
    if (event.kind === 'term-ended') this.#atBound.delete(event.source);
    if (event.kind === 'election-waits') this.#withoutLock.set(event.source, `${event.cause}, ${event.database}`);
    if (event.kind === 'election-restored' || event.kind === 'elected') this.#withoutLock.delete(event.source);
  }

  onSenderEvent(event: SenderEvent, nowMs: number): void {
    if (event.kind === 'delivered') for (const lane of event.lanes) this.#mark(lane, nowMs);
    if (event.kind === 'throttled') {
      const text = `${event.broker} imposed pauses of ${Math.ceil(event.lastMinuteMs / 1_000)} s within a minute`;
      const fault = { cause: 'kafka-throttled', text } as const;
      this.#throttled = event.lastMinuteMs > 0 ? { fault, untilMs: nowMs + this.#options.stallMs } : null;
    }
    if (event.kind === 'target-back') this.#targets.delete(showTarget(event));
    if (event.kind !== 'target-blocked') return;
    const { code, cause, message, delayMs, waiting, forMs } = event;
    const fault = { cause, text: `${code}: ${message}` };
    const untilMs = nowMs + 2 * delayMs + this.#options.stallMs;
    this.#targets.set(showTarget(event), { fault, rows: waiting, sinceMs: nowMs - forMs, untilMs });
  }

  /** A look at the tables that succeeded. */
  looked(look: RelayLook, nowMs: number): void {
    this.#look = look;
    this.#lookFault = null;
    this.#noteLeaders(look, nowMs);
    if (this.#options.roles.sender) this.#noteBacklog(look, nowMs);
    const seen = judgeLook(look, 0).filter((stall) => this.#isOurs(stall));
    this.#seen = new Map(
      seen.map((stall) => {
        const key = `${stall.part} ${stall.cause}`;
        return [key, { stall, sinceMs: this.#seen.get(key)?.sinceMs ?? nowMs }];
      }),
    );
  }

  /** What was known stays; that nothing waits is not known any more. */
  lookFailed(error: RelayError): void {
    this.#lookFault = { cause: causeOf(error), text: `${error.code}: ${error.message}` };
  }

  /** What stands, the worst first. */
  stalls(nowMs: number): readonly Stall[] {
    const whole = [...this.#senderStalls(nowMs), ...this.#sourceStalls(nowMs)];
    const lists = [
      whole,
      this.#boundStalls(nowMs),
      this.#targetStalls(nowMs),
      this.#tableStalls(nowMs),
      this.#laneStalls(nowMs, whole),
    ];
    return mergeStalls(lists).slice(0, STALLS_MAX);
  }

  /** Parts of this process whose last attempts failed; over when rows have moved, or a look found none. */
  failing(): ReadonlySet<string> {
    const parts: [string, Progress][] = [...this.#sources].map(([name, progress]) => [`source ${name}`, progress]);
    return new Set(
      [['sender', this.sender] as const, ...parts].flatMap(([part, { faults }]) => (faults > 0 ? [part] : [])),
    );
  }

  /** Whether the stall makes this process unhealthy. */
  isWhole({ part, cause }: Stall): boolean {
    return part === 'sender' || (part.startsWith('source ') && cause !== 'gaps-at-bound');
  }

  /** How long rows have been waiting for the sender without one that moved, or for a source, whichever is longer. */
  standingMs(role: 'writer' | 'sender', nowMs: number): number {
    if (role === 'sender') return this.#senderStandingMs(nowMs);
    return Math.max(0, ...[...this.#sources.keys()].map((name) => this.#sourceStandingMs(name, nowMs)));
  }

  #senderStandingMs(nowMs: number): number {
    return Math.min(this.sender.standingMs(nowMs), nowMs - this.#emptyAtMs);
  }

  #senderStalls(nowMs: number): readonly Stall[] {
    if (!this.#options.roles.sender) return [];
    const forMs = this.#senderStandingMs(nowMs);
    if (forMs < this.#options.stallMs) return [];
    const { cause, text } = this.#senderFault(nowMs);
    return [{ cause, part: 'sender', rows: this.#waitingRows(), forMs, fault: text }];
  }

  /** What times out while a broker imposes pauses does so for that reason. */
  #senderFault(nowMs: number): { readonly cause: StallCause; readonly text: string | null } {
    const { lastFault } = this.sender;
    const throttled = this.#throttled !== null && nowMs < this.#throttled.untilMs ? this.#throttled.fault : null;
    if (throttled !== null && (lastFault === null || lastFault.cause === 'kafka-unreachable')) return throttled;
    return lastFault ?? this.#targetFault() ?? this.#lookFault ?? UNKNOWN;
  }

  #sourceStandingMs(name: string, nowMs: number): number {
    if (this.#leading.has(name)) return this.#sources.get(name)?.standingMs(nowMs) ?? 0;
    return nowMs - (this.#ledAtMs.get(name) ?? nowMs);
  }

  #sourceStalls(nowMs: number): readonly Stall[] {
    return [...this.#sources].flatMap(([name, progress]): readonly Stall[] => {
      const forMs = this.#sourceStandingMs(name, nowMs);
      if (forMs < this.#options.stallMs || this.#isHalted(name)) return [];
      const part = `source ${name}`;
      if (this.#leading.has(name)) {
        const { cause, text } = progress.lastFault ?? this.#lookFault ?? UNKNOWN;
        return [{ cause, part, rows: null, forMs, fault: text }];
      }
      const seen = this.#seen.get(`${part} no-leader`)?.stall.fault ?? null;
      const waits = this.#withoutLock.get(name);
      const lock = waits === undefined ? null : ({ cause: 'redis-unreachable', text: waits } as const);
      const { cause, text } = lock ?? this.#lookFault ?? { cause: 'no-leader', text: seen };
      return [{ cause, part, rows: null, forMs, fault: text }];
    });
  }

  #boundStalls(nowMs: number): readonly Stall[] {
    for (const [name, { untilMs }] of this.#atBound) if (untilMs < nowMs) this.#atBound.delete(name);
    return [...this.#atBound]
      .map(([name, { sinceMs }]) => ({ part: `source ${name}`, forMs: nowMs - sinceMs }))
      .filter(({ forMs }) => forMs >= this.#options.stallMs)
      .map((each) => ({ ...each, cause: 'gaps-at-bound', rows: null, fault: null }));
  }

  #targetStalls(nowMs: number): readonly Stall[] {
    for (const [part, { untilMs }] of this.#targets) if (untilMs < nowMs) this.#targets.delete(part);
    return [...this.#targets]
      .filter(([, { sinceMs }]) => nowMs - sinceMs >= this.#options.stallMs)
      .map(([part, { fault, rows, sinceMs }]) => {
        const { cause, text } = fault;
        return { cause, part, rows, forMs: nowMs - sinceMs, fault: text };
      });
  }

  #tableStalls(nowMs: number): readonly Stall[] {
    return [...this.#seen.values()]
      .filter(({ stall: { cause } }) => cause !== 'no-leader')
      .filter(({ stall: { cause }, sinceMs }) => AT_ONCE.has(cause) || nowMs - sinceMs >= this.#options.stallMs)
      .map(({ stall, sinceMs }) => ({ ...stall, forMs: stall.forMs ?? nowMs - sinceMs }));
  }

  /** A lane of ours whose rows wait while others move. */
  #laneStalls(nowMs: number, whole: readonly Stall[]): readonly Stall[] {
    if (whole.some(({ part }) => part === 'sender')) return [];
    const { senderId, stallMs } = this.#options;
    return (this.#look?.lanes ?? []).flatMap(({ lane, state, holder }): readonly Stall[] => {
      // A look of the sender's own that found none: what the tables still have is delivered.
      const forMs = nowMs - Math.max(this.#lanes.get(lane)?.sinceMs ?? nowMs, this.sender.idleAtMs);
      if (state !== 'running' || holder !== senderId || forMs < stallMs) return [];
      const rows = this.#look?.backlog.find((each) => each.lane === lane)?.rows ?? 0;
      const { cause, text } = this.#targetFault() ?? this.sender.lastFault ?? UNKNOWN;
      return [{ cause, part: `lane ${lane}`, rows, forMs, fault: text }];
    });
  }

  #targetFault(): LastFault | null {
    return [...this.#targets.values()][0]?.fault ?? null;
  }

  #noteLeaders({ sources, members }: RelayLook, nowMs: number): void {
    const { writerId } = this.#options;
    const others = new Set([...livingOf(members, 'writer')].filter((id) => id !== writerId));
    for (const { name, leader, halted } of sources) {
      if (halted !== null || (leader !== null && others.has(leader))) this.#ledAtMs.set(name, nowMs);
    }
    // What this process leads is told by its own steps, and counts from the end of its term on.
    for (const name of this.#leading) this.#ledAtMs.set(name, nowMs);
  }

  #noteBacklog({ lanes, backlog }: RelayLook, nowMs: number): void {
    const waiting = new Map(backlog.filter(({ rows }) => rows > 0).map(({ lane, rows }) => [lane, rows]));
    for (const lane of this.#lanes.keys()) if (!waiting.has(lane)) this.#lanes.delete(lane);
    for (const { lane, deliveredId } of lanes) {
      const isKnown = this.#lanes.get(lane)?.deliveredId === deliveredId;
      if (waiting.has(lane) && !isKnown) this.#lanes.set(lane, { deliveredId, sinceMs: nowMs });
    }
    if (lanes.some((lane) => waiting.has(lane.lane) && this.#isForUs(lane))) this.sender.due(nowMs);
    else this.#emptyAtMs = nowMs;
  }

  /** Delivered, also where Kafka has not said yet that it is for good, so that the row of the lane does not show it. */
  #mark(lane: number, nowMs: number): void {
    const mark = this.#lanes.get(lane);
    if (mark !== undefined) this.#lanes.set(lane, { ...mark, sinceMs: nowMs });
  }

  /** Rows of a lane that another sender holds are that one's to tell of; those of a lane that nobody holds are everybody's. */
  #isForUs({ state, holder, leaseExpired }: RelayLook['lanes'][number]): boolean {
    return state === 'running' && (holder === null || leaseExpired || holder === this.#options.senderId);
  }

  #waitingRows(): number | null {
    if (this.#look === null || this.#lookFault !== null) return null;
    const ours = new Set(this.#look.lanes.filter((lane) => this.#isForUs(lane)).map(({ lane }) => lane));
    return this.#look.backlog.reduce((sum, { lane, rows }) => (ours.has(lane) ? sum + rows : sum), 0);
  }

  #isHalted(name: string): boolean {
    return this.#look?.sources.some((source) => source.name === name && source.halted !== null) ?? false;
  }

  /** A writer tells of its sources and of senders that are missing, a sender of lanes and rows set aside. */
  #isOurs({ part, cause }: Stall): boolean {
    const { roles } = this.#options;
    if (part.startsWith('source ')) return this.#sources.has(part.slice('source '.length));
    return cause === 'no-sender' ? roles.writer : roles.sender;
  }
}

const UNKNOWN = { cause: 'unknown', text: null } as const;
