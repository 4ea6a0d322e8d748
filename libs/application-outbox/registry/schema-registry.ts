/**
 * A Confluent-compatible schema registry, as far as a producer needs it: register a schema or ask for the latest, get its id.
 * https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 *
 * Asked with fetch and not by a client library: the one that is kept up (@kafkajs/confluent-schema-registry 4.1) reports a
 * registry that cannot be reached like one that refuses the schema, and whether an event can be sent later hangs on that.
 */
import { backoffMs, type Clock, RelayError, systemClock, systemRandom } from '#runtime';
import { refuseEvent } from '../outbox-event.ts';

export type SchemaKind = 'AVRO' | 'JSON';

export interface SchemaRegistryOptions {
  /** Such as `http://localhost:8081`. */
  readonly url: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** One request. Default 5,000. */
  readonly timeoutMs?: number;
  /** How long a registry that is away is waited for, with the transaction open, before the caller hears of it. Default 10,000. */
  readonly waitMs?: number;
  /** How long the latest schema of a subject is taken for the latest. Default 300,000. */
  readonly refreshMs?: number;
  readonly clock?: Clock;
}

export interface RegisteredSchema {
  readonly id: number;
  /** As the registry has it. */
  readonly schema: string;
}

const BACKOFF = { baseMs: 50, maxMs: 1_000 };
const ATTEMPTS_MAX = 1_000;
const SUBJECTS_MAX = 10_000;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

interface Known {
  readonly answer: RegisteredSchema;
  readonly atMs: number;
}

export class SchemaRegistry {
  readonly #options: Required<Pick<SchemaRegistryOptions, 'timeoutMs' | 'waitMs' | 'refreshMs'>>;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  /** Throws CONFIG_INVALID for a URL that is none. */
  constructor({ url, auth, timeoutMs = 5_000, waitMs = 10_000, refreshMs = 300_000, clock }: SchemaRegistryOptions) {
    if (!URL.canParse(url)) throw new RelayError('CONFIG_INVALID', 'the URL of the schema registry is none');
    this.#url = url.replace(/\/+$/, '');
    this.#options = { timeoutMs, waitMs, refreshMs };
    this.#clock = clock ?? systemClock;
    const login = auth && Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    this.#headers = { 'content-type': CONTENT_TYPE, ...(login ? { authorization: `Basic ${login}` } : {}) };
  }

  /**
   * The id of a schema under its subject, registered if it is not yet; asked once. Rejects with EVENT_REFUSED (`schema`) when
   * the registry will not have it, with REGISTRY_UNREACHABLE or REGISTRY_REFUSED (verdict `retry`) when it does not answer.
   */
  async register(subject: string, kind: SchemaKind, schema: string): Promise<RegisteredSchema> {
    const name = `${subject} ${kind} ${schema}`;
    const known = this.#known.get(name);
    if (known) return known.answer;
    const body = JSON.stringify({ schema, schemaType: kind });
    const answer = await this.#ask(`/subjects/${encodeURIComponent(subject)}/versions`, { method: 'POST', body });
    return this.#remember(name, { id: idOf(answer), schema });
  }

  /** The latest schema of a subject; one that was known stays in use while the registry is away. Rejects as `register`. */
  async latest(subject: string, kind: SchemaKind): Promise<RegisteredSchema> {
    const name = `${subject} ${kind}`;
    const known = this.#known.get(name);
    if (known && this.#clock.nowMs() - known.atMs < this.#options.refreshMs) return known.answer;
    try {
      const answer = await this.#ask(`/subjects/${encodeURIComponent(subject)}/versions/latest`, {});
      const { schema, schemaType = 'AVRO' } = answer as { schema?: unknown; schemaType?: string };
      if (schemaType !== kind || typeof schema !== 'string') {
        throw refuseEvent('schema', `the latest schema of subject ${subject} is not ${kind}`);
      }
      return this.#remember(name, { id: idOf(answer), schema });
    } catch (thrown) {
      if (known && thrown instanceof RelayError && thrown.verdict === 'retry') return known.answer;
      throw thrown;
    }
  }

  #remember(name: string, answer: RegisteredSchema): RegisteredSchema {
    if (this.#known.size >= SUBJECTS_MAX) this.#known.clear();
    this.#known.set(name, { answer, atMs: this.#clock.nowMs() });
    return answer;
  }

  async #ask(path: string, init: RequestInit): Promise<unknown> {
    const untilMs = this.#clock.nowMs() + this.#options.waitMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#askOnce(path, init);
      } catch (thrown) {
        const isOver = attempt >= ATTEMPTS_MAX || this.#clock.nowMs() >= untilMs;
        if (isOver || !(thrown instanceof RelayError) || thrown.code !== 'REGISTRY_UNREACHABLE') throw thrown;
        await this.#clock.sleep(backoffMs(attempt, BACKOFF, systemRandom));
      }
    }
  }

  async #askOnce(path: string, init: RequestInit): Promise<unknown> {
    let answer: Response;
    let body: unknown;
    try {
      const signal = AbortSignal.timeout(this.#options.timeoutMs);
      answer = await fetch(`${this.#url}${path}`, { ...init, headers: this.#headers, signal });
      body = await answer.json().catch(() => null);
    } catch (cause) {
      throw new RelayError('REGISTRY_UNREACHABLE', 'the schema registry does not answer', { cause });
    }
    const { status } = answer;
    if (answer.ok) return body;
    if (status === 401 || status === 403) {
      throw new RelayError('REGISTRY_REFUSED', `the schema registry refuses the login (${status})`);
    }
    if (status >= 500 || status === 408 || status === 429) {
      throw new RelayError('REGISTRY_UNREACHABLE', `the schema registry answers ${status}`);
    }
    throw refuseEvent('schema', `the schema registry refuses the schema or has none (${status})`);
  }
}

function idOf(answer: unknown): number {
  const { id } = (answer ?? {}) as { id?: unknown };
  if (Number.isSafeInteger(id)) return id as number;
  throw new RelayError('REGISTRY_UNREACHABLE', 'the schema registry gives no id');
}
