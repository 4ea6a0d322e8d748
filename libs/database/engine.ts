/** Finds out which engine answers, from what it says about itself, and refuses versions that are too old. */
import { RelayError } from '#runtime';

export type EngineKind = 'mariadb' | 'mysql' | 'singlestore' | 'tidb' | 'unknown';

export interface Engine {
  readonly kind: EngineKind;
  /** As the server writes it, for people. */
  readonly version: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Above 1 on Galera and multi-primary set-ups: then every second id is never used. */
  readonly autoIncrementIncrement: number;
  readonly autoIncrementOffset: number;
  /** The largest statement the server takes, in bytes (max_allowed_packet). */
  readonly statementBytesMax: number;
}

/** The one thing detection needs, so that it can be tested without a server. */
export interface EngineQuery {
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
}

/** Oldest versions with everything we rely on: locking reads with NOWAIT, and for MySQL FOR SHARE with SELECT rights only. */
const OLDEST: Partial<Record<EngineKind, readonly [number, number, number]>> = {
  mariadb: [10, 6, 0],
  mysql: [8, 0, 22],
};

/** MySQL packagers write one of these into version_comment; a server that names nobody we know is `unknown`. */
const MYSQL_COMMENT = /mysql|percona|source distribution|ubuntu|debian/i;

function kindOf(version: string, comment: string): EngineKind {
  if (/tidb/i.test(version)) return 'tidb';
  if (/mariadb/i.test(version)) return 'mariadb';
  if (/singlestore|memsql/i.test(comment) || /singlestore|memsql/i.test(version)) return 'singlestore';
  return MYSQL_COMMENT.test(comment) ? 'mysql' : 'unknown';
}

/** The engine's own number: MariaDB may prefix 5.5.5-, TiDB and SingleStore print the MySQL version they imitate. */
function numbersOf(kind: EngineKind, version: string): readonly [number, number, number] {
  const text = kind === 'mariadb' ? version.replace(/^5\.5\.5-/, '') : version;
  const own = kind === 'tidb' ? /TiDB-v?(\d+)\.(\d+)\.(\d+)/i.exec(text) : /^(\d+)\.(\d+)\.(\d+)/.exec(text);
  return [Number(own?.[1] ?? 0), Number(own?.[2] ?? 0), Number(own?.[3] ?? 0)];
}

function olderThan(found: readonly number[], oldest: readonly number[]): boolean {
  const at = found.findIndex((value, index) => value !== oldest[index]);
  return at >= 0 && (found[at] as number) < (oldest[at] as number);
}

/** Rejects with DB_UNSUPPORTED when the server is a MariaDB before 10.6 or a MySQL before 8.0.22. */
export async function detectEngine(session: EngineQuery): Promise<Engine> {
  const [about] = await session.query('SELECT VERSION() AS version, @@version_comment AS comment');
  const version = String(about?.version ?? '');
  const kind = kindOf(version, String(about?.comment ?? ''));
  const [major, minor, patch] = numbersOf(kind, version);
  const oldest = OLDEST[kind];
  if (oldest && olderThan([major, minor, patch], oldest)) {
    throw new RelayError('DB_UNSUPPORTED', `${kind} ${version} is older than ${oldest.join('.')}`);
  }
  const monotonic = kind === 'mariadb' || kind === 'mysql';
  const [sizes] = await session.query(
    monotonic
      ? 'SELECT @@max_allowed_packet AS packet, @@auto_increment_increment AS increment, @@auto_increment_offset AS start'
      : 'SELECT @@max_allowed_packet AS packet',
  );
  return {
    kind,
    version,
    major,
    minor,
    patch,
    autoIncrementIncrement: Number(sizes?.increment ?? 1),
    autoIncrementOffset: Number(sizes?.start ?? 1),
    statementBytesMax: Number(sizes?.packet ?? 1_048_576),
  };
}
