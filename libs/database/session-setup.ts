/** Makes a fresh connection one of ours: the settings of session-settings.ts, in as few statements as the server allows. */
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { EngineKind } from './engine.ts';
import type { Session } from './session.ts';
import { type SessionLimits, type SessionSetting, sessionSettings } from './session-settings.ts';

/**
 * A server may ignore the character set that the driver names as it logs in (--skip-character-set-client-handshake), or change it
 * after (init_connect). Texts of prepared statements and all answers would then be in another one.
 */
const NAMES = 'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci';
/** READ COMMITTED because deletes under REPEATABLE READ deadlocked with the writer's inserts. */
const ISOLATION = 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED';
/**
 * No such variable; needs a right; a value it does not take; global or read-only; not for sessions; not supported; fixed by an
 * option (1290, as --secure-timestamp). Nothing is set by a statement that fails.
 */
const NOT_TO_BE_SET: ReadonlySet<number> = new Set([
  1193, 1227, 1231, 1232, 1228, 1229, 1238, 1235, 1064, 1105, 1290, 8133,
]);

/** Before anything is asked: answers could be cut, or refused, for what a server's settings say of large results. */
const WHOLE_ANSWERS =
  'SET SESSION sql_select_limit = 18446744073709551615, SESSION max_join_size = 18446744073709551615, SESSION sql_big_selects = 1';

/** Before the engine is known: makes sure that questions are answered in full, where there are such settings. */
export async function askFreely(session: Session): Promise<void> {
  try {
    await session.run(WHOLE_ANSWERS);
  } catch (thrown) {
    if (session.broken || (errnoOf(thrown) ?? 0) <= 0) throw thrown;
  }
}

const setAll = (settings: readonly SessionSetting[]): string =>
  `SET ${settings.map(({ name, value }) => `SESSION ${name} = ${value}`).join(', ')}`;

/** `unknown`: settings that a server of this pool would not take, by name; the session adds what it finds. */
export async function setUp(
  session: Session,
  kind: EngineKind,
  limits: SessionLimits,
  unknown: Set<string>,
): Promise<void> {
  const settings = sessionSettings(kind, limits);
  await session.run(NAMES);
  if (kind !== 'singlestore') await session.run(ISOLATION);
  await session.run(setAll(settings.filter(({ needed }) => needed)));
  const wanted = settings.filter(({ name, needed }) => !needed && !unknown.has(name));
  if (wanted.length === 0 || (await setQuietly(session, setAll(wanted)))) return;
  for (const setting of wanted) if (!(await setQuietly(session, setAll([setting])))) unknown.add(setting.name);
}

/** False when the server does not know it or does not let us. */
async function setQuietly(session: Session, statement: string): Promise<boolean> {
  try {
    await session.run(statement);
    return true;
  } catch (thrown) {
    const errno = errnoOf(asDatabaseError(thrown, 'SET'));
    if (!session.broken && errno !== null && NOT_TO_BE_SET.has(errno)) return false;
    throw thrown;
  }
}
