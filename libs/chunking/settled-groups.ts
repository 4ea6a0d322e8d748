/** Groups that are done with: late chunks of a joined one are duplicates, those of an abandoned one are dead as well. */
import { hash } from 'node:crypto';

export type Settled =
  | { readonly kind: 'joined'; readonly digests: readonly string[] }
  | { readonly kind: 'dead'; readonly reason: string };

export const digestOf = (value: Buffer | null): string => hash('sha256', value ?? Buffer.alloc(0), 'base64');

/** Each takes some 80 bytes. */
const DIGESTS_MAX = 100_000;
const digestsOf = (settled: Settled | undefined): number => (settled?.kind === 'joined' ? settled.digests.length : 0);

/** Remembers the last `limit` groups, or fewer where they had a great many chunks; the oldest is forgotten first. */
export class SettledGroups {
  readonly #groups = new Map<string, Settled>();
  readonly #limit: number;
  #digests = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  remember(name: string, settled: Settled): void {
    this.forgetOne(name);
    this.#groups.set(name, settled);
    this.#digests += digestsOf(settled);
    for (const oldest of this.#groups.keys()) {
      if (oldest === name || (this.#groups.size <= this.#limit && this.#digests <= DIGESTS_MAX)) break;
      this.forgetOne(oldest);
    }
  }

  get(name: string): Settled | undefined {
    return this.#groups.get(name);
  }

  forget(startsWith: string): void {
    for (const name of this.#groups.keys()) if (name.startsWith(startsWith)) this.forgetOne(name);
  }

  forgetOne(name: string): void {
    this.#digests -= digestsOf(this.#groups.get(name));
    this.#groups.delete(name);
  }
}
