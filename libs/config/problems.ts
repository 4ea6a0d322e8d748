/** Everything wrong with a configuration, gathered so that it is refused in one message instead of one by one. */
import { RelayError } from '#runtime';

export class Problems {
  readonly #lines: string[] = [];

  /** `name` is the setting as the user wrote it; `message` says what is wrong and what to do, and holds no secret. */
  add(name: string, message: string): void {
    const line = `${name}: ${message}`;
    if (!this.#lines.includes(line)) this.#lines.push(line);
  }

  /** Throws CONFIG_INVALID with one line a problem, when there is one. */
  refuse(): void {
    const count = this.#lines.length;
    if (count === 0) return;
    const message =
      count === 1
        ? `configuration refused: ${this.#lines[0]}`
        : [`configuration refused, ${count} problems:`, ...this.#lines].join('\n  ');
    throw new RelayError('CONFIG_INVALID', message, { details: { problems: count } });
  }
}
