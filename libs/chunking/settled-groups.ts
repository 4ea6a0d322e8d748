/** Groups that are done with: late chunks of a joined one are duplicates, those of an abandoned one are dead as well. */
import { hash } from 'node:crypto';

export type Settled =
  | { readonly kind: 'joined'; readonly digests: readonly string[] }
  | { readonly kind: 'dead'; readonly reason: string };

export const digestOf = (value: Buffer | null): string => hash('sha256', value ?? Buffer.alloc(0), 'base64');

/** Remembers the last `limit` groups; the oldest is forgotten first. */
export class SettledGroups {
  readonly #groups = new Map<string, Settled>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  remember(name: string, settled: Settled): void {
    this.#groups.delete(name);
    this.#groups.set(name, settled);
    if (this.#groups.size <= this.#limit) return;
    const [oldest] = this.#groups.keys();
    if (oldest !== undefined) this.#groups.delete(oldest);
  }

  get(name: string): Settled | undefined {
    return this.#groups.get(name);
  }

  forget(startsWith: string): void {
    for (const name of this.#groups.keys()) if (name.startsWith(startsWith)) this.#groups.delete(name);
  }

  forgetOne(name: string): void {
    this.#groups.delete(name);
  }
}
