/** What of a refusal an ACL rule would mend. Only what people are told hangs on the server's words: the code decides everything else. */

const COMMAND = /'([a-z]+(?:\|[a-z-]+)?)' command/i;

export interface Refusal {
  /** Of the server: NOPERM, OOM, ... */
  readonly code: string;
  /** The command that is refused, where the server names it. */
  readonly command: string | null;
  /** What the user may not touch, where it is not the command. */
  readonly pattern: 'key' | 'channel' | null;
}

export function refusalOf(error: unknown, code: string): Refusal {
  const text = code === 'NOPERM' && error instanceof Error ? error.message : '';
  const command = COMMAND.exec(text)?.[1]?.toLowerCase() ?? null;
  const pattern = command !== null ? null : /channel/.test(text) ? 'channel' : /key/.test(text) ? 'key' : null;
  return { code, command, pattern };
}
