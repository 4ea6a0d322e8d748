/** A short, secret-free name for a Redis fault, for logs. */

/** Error replies begin with an upper-case word (`WRONGPASS`, `NOAUTH`, `READONLY`): that word is the protocol's code. */
const REPLY_CODE = /^[A-Z][A-Z0-9_]{1,31}$/;

/**
 * The driver's `code` (ECONNREFUSED), else the first word of an error reply, else the error's class. A cluster's own fault tells of the
 * last node's. The error itself is never logged: a refused AUTH carries the password in its `command` property.
 */
export function redisErrorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN';
  const { code, lastNodeError } = error as { code?: unknown; lastNodeError?: unknown };
  if (typeof code === 'string') return code;
  if (lastNodeError instanceof Error && lastNodeError !== error) return redisErrorCode(lastNodeError);
  const [word = ''] = error.message.split(' ', 1);
  if (error.name === 'ReplyError' && REPLY_CODE.test(word)) return word;
  return error.name === 'Error' ? 'NO_ANSWER' : error.name;
}
