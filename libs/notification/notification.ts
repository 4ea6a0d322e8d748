/** What somebody is told when the relay needs them, and which events of the core are worth it. No payloads, no secrets. */
import { type SenderEvent, showTarget, type WriterEvent } from '#outbox';
import { type ErrorCode, explainStall, type Stall, type StallCause } from '#runtime';

export interface Notification {
  /**
   * `row-refused`: Kafka refused a row several times. `row-dead`: its attempts are spent, and the policy applies. `retrying`: a
   * fault of the world lasts. `stalled`: rows wait and none moved for a time; told again once an hour. `recovered`: it is over. `lane-halted` and `source-halted` wait for an operator (the latter is told by
   * each writer that has the source). `commit-lost`:
   * Kafka lost a transaction that it had acknowledged; its rows are delivered again.
   */
  readonly kind:
    | 'row-refused'
    | 'row-dead'
    | 'retrying'
    | 'stalled'
    | 'recovered'
    | 'lane-halted'
    | 'source-halted'
    | 'commit-lost';
  readonly severity: 'info' | 'warning' | 'error';
  /** One sentence for people. */
  readonly text: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The relay's process. */
  readonly instance: string;
  readonly code?: ErrorCode;
  /** Why rows do not move: a name of the table of causes in docs/operations.md. */
  readonly cause?: StallCause;
  /** What stands: `sender`, `source NAME`, `lane N`, `topic NAME`, `topic NAME, partition N`. */
  readonly part?: string;
  readonly source?: string;
  readonly lane?: number;
  readonly outboxId?: number;
  readonly attempts?: number;
}

export type Finding = Omit<Notification, 'at' | 'instance'>;

const TOLD_OTHERWISE: ReadonlySet<StallCause> = new Set(['source-halted', 'lane-halted', 'dead-letters']);

/** Remembers what was told, so that a fault that goes on for hours is told once. */
export class Findings {
  readonly #afterAttempts: number;
  /** Parts that are known to be in trouble: `sender`, `topic <name>`, or `source <name>`. */
  readonly #troubled = new Set<string>();

  /** `afterAttempts`: how often the same thing fails before it is told. */
  constructor(afterAttempts: number) {
    this.#afterAttempts = afterAttempts;
  }

  ofWriter(event: WriterEvent): Finding | null {
    const part = `source ${event.source}`;
    switch (event.kind) {
      case 'writer-retry':
        return this.#retrying(part, event, { source: event.source });
      case 'source-halted': {
        const { source, code, message } = event;
        return { kind: 'source-halted', severity: 'error', text: `${part} halted: ${message}`, source, code };
      }
      case 'moved':
        return this.#recovered(part, { source: event.source });
      default:
        return null;
    }
  }

  ofSender(event: SenderEvent): Finding | null {
    switch (event.kind) {
      case 'sender-retry':
        return this.#retrying('sender', event, {});
      // A topic that takes nothing is over when it is, not when others were delivered.
      case 'target-blocked':
        return this.#retrying(showTarget(event), event, {});
      case 'target-back':
        return this.#recovered(showTarget(event), {});
      case 'delivered':
        return this.#recovered('sender', {});
      case 'row-retry-failed': {
        const { attempts, code, lane, id } = event;
        if (attempts !== this.#afterAttempts) return null;
        const text = `row ${id} was refused by Kafka ${attempts} times`;
        return { kind: 'row-refused', severity: 'warning', text, code, lane, outboxId: id, attempts };
      }
      case 'rows-still-too-large': {
        const { attempts, lane, id, rows, message } = event;
        if (attempts !== this.#afterAttempts) return null;
        const text = `${rows} rows of lane ${lane} from row ${id} on are larger than Kafka takes: ${message}`;
        const code = 'KAFKA_RECORD_REFUSED';
        return { kind: 'row-refused', severity: 'warning', text, code, lane, outboxId: id, attempts };
      }
      case 'row-dead': {
        const { attempts, policy, lane, id } = event;
        const text = `row ${id} was given up after ${attempts} attempts (policy ${policy})`;
        return { kind: 'row-dead', severity: 'error', text, lane, outboxId: id, attempts };
      }
      case 'lane-halted':
        return {
          kind: 'lane-halted',
          severity: 'error',
          text: `lane ${event.lane} halted: ${event.why}`,
          lane: event.lane,
        };
      case 'commit-lost': {
        const text = `Kafka lost a commit of lane ${event.lane} that it had acknowledged: its rows are delivered again`;
        return { kind: 'commit-lost', severity: 'error', text, lane: event.lane };
      }
      default:
        return null;
    }
  }

  /** Halts and dead letters are told when they happen, once. */
  ofStall(stall: Stall): Finding | null {
    const { cause, part } = stall;
    if (TOLD_OTHERWISE.has(cause)) return null;
    return { kind: 'stalled', severity: 'error', text: explainStall(stall), cause, part };
  }

  /** A look found that nothing waits: what was tried again and again is over, though nothing was delivered. */
  ofIdle(part: string): Finding | null {
    return this.#recovered(part, {});
  }

  ofStallsEnd({ cause, part }: Stall): Finding | null {
    // Told once, not for the stall and for the attempts.
    this.#troubled.delete(part);
    if (TOLD_OTHERWISE.has(cause)) return null;
    return { kind: 'recovered', severity: 'info', text: `${part}: rows move again, or none waits`, cause, part };
  }

  #retrying(
    part: string,
    { attempt, code, message }: { readonly attempt: number; readonly code: ErrorCode; readonly message: string },
    where: Pick<Finding, 'source'>,
  ): Finding | null {
    if (attempt < this.#afterAttempts || this.#troubled.has(part)) return null;
    this.#troubled.add(part);
    const text = `${part} has failed ${attempt} times in a row and goes on trying: ${message}`;
    return { kind: 'retrying', severity: 'warning', text, code, attempts: attempt, ...where };
  }

  #recovered(part: string, where: Pick<Finding, 'source'>): Finding | null {
    if (!this.#troubled.delete(part)) return null;
    return { kind: 'recovered', severity: 'info', text: `${part} works again`, ...where };
  }
}
