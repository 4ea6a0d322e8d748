/** OAUTHBEARER tokens from a command or a URL: cached, and fetched anew before they expire. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Clock, RelayError, withDeadline } from '#runtime';
import type { TokenCommand, TokenUrl } from './kafka-options.ts';

const run = promisify(execFile);

const FETCH_DEADLINE_MS = 10_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** A token that does not say how long it lives is asked for again after this. */
const LIFETIME_UNKNOWN_MS = 60_000;
/** Share of its life after which a token is replaced. */
const FRESH_SHARE = 0.8;

interface Token {
  readonly value: string;
  readonly lifetimeMs: number;
}

const refused = (message: string, cause?: unknown) =>
  new RelayError('KAFKA_REFUSED', message, cause === undefined ? {} : { cause });

/** Seconds left by the `exp` claim when the token is a JWT; null otherwise. */
function jwtLifetimeMs(value: string, wallMs: number): number | null {
  const claims = value.split('.')[1];
  if (claims === undefined) return null;
  try {
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { exp?: unknown };
    return typeof exp === 'number' ? Math.max(exp * 1000 - wallMs, 0) : null;
  } catch {
    return null; // not a JWT: opaque tokens are fine
  }
}

function parseToken(text: string, wallMs: number): Token {
  const trimmed = text.trim();
  let value = trimmed;
  let expiresIn: unknown;
  if (trimmed.startsWith('{')) {
    const answer = JSON.parse(trimmed) as Record<string, unknown>;
    value = String(answer.access_token ?? answer.token ?? '');
    expiresIn = answer.expires_in;
  }
  if (value === '' || /\s/.test(value)) throw refused('the OAuth token source gave no token');
  const stated = typeof expiresIn === 'number' ? expiresIn * 1000 : jwtLifetimeMs(value, wallMs);
  return { value, lifetimeMs: stated ?? LIFETIME_UNKNOWN_MS };
}

async function fromCommand({ command }: TokenCommand): Promise<string> {
  const [program, ...parameters] = command;
  const options = {
    timeout: FETCH_DEADLINE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
    shell: false,
  } as const;
  try {
    return (await run(program, parameters, options)).stdout;
  } catch (error) {
    // Neither its output nor its arguments: both may hold a secret.
    const { code = null } = error as { code?: string | number | null };
    throw refused(
      `the OAuth token command failed (${code ?? 'killed after its deadline'}): run KAFKA_SASL_OAUTH_TOKEN_COMMAND by hand`,
    );
  }
}

async function fromUrl(source: TokenUrl): Promise<string> {
  const abort = new AbortController();
  const { clientId, scope } = source;
  const clientSecret = typeof source.clientSecret === 'function' ? source.clientSecret() : (source.clientSecret ?? '');
  const grant = new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) });
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  const request =
    clientId === undefined
      ? { signal: abort.signal }
      : { signal: abort.signal, method: 'POST', body: grant, headers: { authorization: `Basic ${basic}` } };
  const answer = fetch(source.url, request).then(async (response) => {
    if (!response.ok)
      throw refused(
        `the OAuth token URL answered ${response.status}: check KAFKA_SASL_OAUTH_TOKEN_URL, _CLIENT_ID, _CLIENT_SECRET and _SCOPE`,
      );
    return response.text();
  });
  try {
    return await withDeadline(answer, FETCH_DEADLINE_MS, 'fetching an OAuth token');
  } catch (error) {
    throw error instanceof RelayError
      ? error
      : refused('the OAuth token URL cannot be reached: check KAFKA_SASL_OAUTH_TOKEN_URL');
  } finally {
    abort.abort();
  }
}

/** Returns the function kafkajs calls for each authentication. Rejects with KAFKA_REFUSED or DEADLINE_EXCEEDED. */
export function createTokenProvider(source: TokenCommand | TokenUrl, clock: Clock): () => Promise<{ value: string }> {
  let cached: { readonly value: string; readonly freshUntilMs: number } | null = null;
  let fetching: Promise<{ value: string }> | null = null;

  async function fetchToken(): Promise<{ value: string }> {
    const text = 'command' in source ? await fromCommand(source) : await fromUrl(source);
    let token: Token;
    try {
      token = parseToken(text, clock.wallMs());
    } catch (error) {
      throw error instanceof RelayError ? error : refused('the OAuth token source gave malformed JSON');
    }
    cached = { value: token.value, freshUntilMs: clock.nowMs() + token.lifetimeMs * FRESH_SHARE };
    return cached;
  }

  return async () => {
    if (cached !== null && clock.nowMs() < cached.freshUntilMs) return { value: cached.value };
    fetching ??= fetchToken().finally(() => {
      fetching = null;
    });
    return { value: (await fetching).value };
  };
}
