/**
 * Tells somebody: by a callback in this process, by a webhook, or both. Never in the relay's way: a callback that throws and a
 * webhook that is away cost a log line, and what waits for the webhook is bounded.
 */
import type { SenderEvent, WriterEvent } from '#outbox';
import { backoffMs, type Clock, type Logger, type Random, type Stall, systemClock, systemRandom } from '#runtime';
import { type Finding, Findings, type Notification } from './notification.ts';

export interface NotifierOptions {
  readonly instance: string;
  /** How often the same thing fails before it is told. */
  readonly afterAttempts: number;
  readonly callback?: ((notification: Notification) => void | Promise<void>) | undefined;
  /** Gets each notification as JSON by POST; any answer of 2xx takes it. */
  readonly webhookUrl?: string | null;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface Notifier {
  onWriterEvent(event: WriterEvent): void;
  onSenderEvent(event: SenderEvent): void;
  /** A part stands; said again for as long as it does, as often as the caller likes. */
  onStall(stall: Stall): void;
  onStallsEnd(stall: Stall): void;
  /** `sender`, or `source NAME`: a look found that nothing waits for it. */
  onIdle(part: string): void;
  /** Waits for the webhook to take what there is, for `deadlineMs` at most. */
  close(deadlineMs?: number): Promise<void>;
}

const WAITING_MAX = 100;
const ATTEMPTS_MAX = 5;
const POST_DEADLINE_MS = 5_000;
const PAUSE = { baseMs: 500, maxMs: 10_000 };
const CLOSE_DEADLINE_MS = 2_000;

export function createNotifier(options: NotifierOptions): Notifier {
  return new QueuedNotifier(options);
}

class QueuedNotifier implements Notifier {
  readonly #options: NotifierOptions;
  readonly #clock: Clock;
  readonly #findings: Findings;
  readonly #waiting: Notification[] = [];
  readonly #stopped = new AbortController();
  #posting: Promise<void> | null = null;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#findings = new Findings(options.afterAttempts);
  }

  onWriterEvent(event: WriterEvent): void {
    this.#tell(this.#findings.ofWriter(event));
  }

  onSenderEvent(event: SenderEvent): void {
    this.#tell(this.#findings.ofSender(event));
  }

  onStall(stall: Stall): void {
    this.#tell(this.#findings.ofStall(stall));
  }

  onStallsEnd(stall: Stall): void {
    this.#tell(this.#findings.ofStallsEnd(stall));
  }

  onIdle(part: string): void {
    this.#tell(this.#findings.ofIdle(part));
  }

  async close(deadlineMs = CLOSE_DEADLINE_MS): Promise<void> {
    if (this.#posting === null) return;
    const late = new AbortController();
    await Promise.race([this.#posting, this.#clock.sleep(deadlineMs, late.signal)]);
    late.abort();
    this.#stopped.abort();
    await this.#posting;
  }

  #tell(finding: Finding | null): void {
    if (finding === null) return;
    const at = new Date(this.#clock.wallMs()).toISOString();
    const notification: Notification = { ...finding, at, instance: this.#options.instance };
    this.#call(notification);
    if (!this.#options.webhookUrl) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#options.logger.warn({ kind: this.#waiting.shift()?.kind }, 'webhook too slow: a notification was dropped');
    }
    this.#waiting.push(notification);
    this.#posting ??= this.#post();
  }

  #call(notification: Notification): void {
    const { callback, logger } = this.#options;
    const failed = (error: unknown) => logger.warn({ err: error }, 'the callback for notifications failed');
    try {
      Promise.resolve(callback?.(notification)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  async #post(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#postOne(next);
    }
    // In the same turn as the look that found nothing.
    this.#posting = null;
  }

  async #postOne(notification: Notification): Promise<void> {
    for (let attempt = 1; !this.#stopped.signal.aborted; attempt += 1) {
      const fault = await this.#attempt(notification);
      if (fault === null) return;
      if (attempt >= ATTEMPTS_MAX) {
        this.#options.logger.warn({ kind: notification.kind, fault, attempt }, 'the webhook took no notification');
        return;
      }
      const pauseMs = backoffMs(attempt, PAUSE, this.#options.random ?? systemRandom);
      await this.#clock.sleep(pauseMs, this.#stopped.signal);
    }
  }

  /** Null: taken. Otherwise what went wrong, without the address, which may hold a secret. */
  async #attempt(notification: Notification): Promise<string | null> {
    try {
      const answer = await fetch(this.#options.webhookUrl ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(notification),
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(POST_DEADLINE_MS)]),
      });
      await answer.body?.cancel();
      return answer.ok ? null : `status ${answer.status}`;
    } catch (thrown) {
      return thrown instanceof Error ? thrown.name : 'fault';
    }
  }
}
