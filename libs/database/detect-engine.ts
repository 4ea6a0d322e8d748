/**
 * Finds out which engine answers from what it does, and refuses versions that are too old. Names decide nothing but the text
 * for people: vendors and proxies present what they like, and statements of the wrong engine fail or, worse, lose rows.
 */
import { RelayError } from '#runtime';
import type { Engine, EngineKind } from './engine.ts';
import {
  askIntroduction,
  askIntroductionAgain,
  askMariadbNumber,
  askVariables,
  type EngineQuery,
  type Introduced,
  isVitess,
  type MarkLevel,
  takesSkipLocked,
  type Variables,
} from './question-server.ts';

type VersionNumber = readonly [major: number, minor: number, patch: number];

/** Oldest versions with everything we rely on: locking reads with NOWAIT, and for MySQL FOR SHARE with SELECT rights only. */
const OLDEST = { mariadb: [10, 6, 0], mysql: [8, 0, 22] } as const satisfies Partial<Record<EngineKind, VersionNumber>>;

/** Engines that answer nearly as MySQL does, by a variable that only they have. */
const IMITATORS = [
  ['ob_query_timeout', 'OceanBase'],
  ['dolt_transaction_commit', 'Dolt'],
] as const;

/** Longer names would fill the log. */
const NAME_LENGTH_MAX = 100;

interface Recognised {
  readonly kind: EngineKind;
  /** For people, without a number. */
  readonly label: string;
}

const UNKNOWN: Recognised = { kind: 'unknown', label: 'an engine that was not recognised' };
const of = (kind: EngineKind): Recognised => ({ kind, label: kind });

/** What a pool remembers of its server, so that each further session costs one question instead of three. */
export class EngineMemory {
  #key = '';
  #engine: Engine | null = null;

  get engine(): Engine | null {
    return this.#engine;
  }

  /** The same words and the same marks: the same engine. */
  matches(introduced: Introduced): boolean {
    return this.#engine !== null && this.#key === keyOf(introduced);
  }

  remember(introduced: Introduced, engine: Engine): void {
    this.#key = keyOf(introduced);
    this.#engine = engine;
  }
}

const keyOf = ({ version, comment, mariadb, mysql, tidb, anyNumber }: Introduced): string =>
  JSON.stringify([version, comment, mariadb, mysql, tidb, anyNumber]);

function parseNumber(text: string | undefined | null): VersionNumber | null {
  const found = /^(\d+)\.(\d+)\.(\d+)/.exec(text ?? '');
  return found ? [Number(found[1]), Number(found[2]), Number(found[3])] : null;
}

function olderThan(found: VersionNumber, oldest: VersionNumber): boolean {
  const at = found.findIndex((value, index) => value !== oldest[index]);
  return at >= 0 && (found[at] as number) < (oldest[at] as number);
}

/**
 * Vitess answers as the MySQL behind it does. Its own connection has another number than the one behind it, which
 * `pseudo_thread_id` names: only then is the server asked outright.
 */
async function isBehindVitess(session: EngineQuery, said: Introduced, variables: Variables): Promise<boolean> {
  const direct = said.connectionId !== null && said.connectionId === variables.get('pseudo_thread_id');
  if (direct && !/vitess/i.test(said.version)) return false;
  return isVitess(session);
}

async function recognise(session: EngineQuery, said: Introduced, variables: Variables): Promise<Recognised> {
  if (said.tidb || variables.has('tidb_txn_mode')) return of('tidb');
  if (variables.has('memsql_version')) return of('singlestore');
  const imitator = IMITATORS.find(([variable]) => variables.has(variable));
  if (imitator) return { kind: 'unknown', label: imitator[1] };
  if (said.mariadb > 0 || variables.has('idle_transaction_timeout')) return of('mariadb');
  const innodb = parseNumber(variables.get('innodb_version'));
  const isMysql8 = variables.has('information_schema_stats_expiry') && (said.mysql > 0 || innodb !== null);
  const isOlder = said.mysql === 0 && innodb !== null && innodb[0] < 8;
  // Executed by a MySQL from 10 on, which has such an InnoDB; imitators have none, or one of the MySQL that they imitate.
  const isImitator = !variables.has('innodb_page_size') || (said.anyNumber && (innodb?.[0] ?? 0) < 10);
  if (!isImitator && (isMysql8 || isOlder)) {
    return (await isBehindVitess(session, said, variables)) ? { kind: 'unknown', label: 'Vitess' } : of('mysql');
  }
  // These two are believed by name alone as well: nothing is trusted there that has not been proven.
  if (/tidb/i.test(said.version)) return of('tidb');
  if (/singlestore|memsql/i.test(`${said.version} ${said.comment}`)) return of('singlestore');
  return UNKNOWN;
}

/** The engine's own number. MariaDB may prefix 5.5.5-, TiDB and SingleStore print the MySQL version they imitate. */
async function numberOf(
  session: EngineQuery,
  kind: EngineKind,
  said: Introduced,
  variables: Variables,
): Promise<VersionNumber | null> {
  const { version } = said;
  switch (kind) {
    case 'mariadb': {
      const shown = parseNumber(version.replace(/^5\.5\.5-/, ''));
      const isOld = shown === null || olderThan(shown, OLDEST.mariadb);
      const agrees = said.mariadb === 0 ? !isOld : isOld === (said.mariadb === 1);
      return agrees ? shown : (parseNumber(await askMariadbNumber(session)) ?? shown);
    }
    case 'mysql':
      return parseNumber(variables.get('innodb_version')) ?? parseNumber(version);
    case 'tidb':
      return parseNumber(/TiDB-v?(.+)/i.exec(version)?.[1]);
    case 'singlestore':
      return parseNumber(variables.get('memsql_version'));
    case 'unknown':
      return parseNumber(version);
  }
}

function nameOf({ kind, label }: Recognised, number: VersionNumber | null, { version, comment }: Introduced): string {
  const shown = number?.join('.') ?? '';
  const isSame = number !== null && version.includes(shown) && new RegExp(kind, 'i').test(`${version} ${comment}`);
  if (isSame) return `${kind} ${version}`;
  const words = `${version} ${comment}`.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  const own = kind === 'unknown' || number === null ? label : `${label} ${shown}`;
  return `${own}, which calls itself "${words.slice(0, NAME_LENGTH_MAX)}"`;
}

/** Marks tell more than numbers, which may be invented; numbers tell more than one statement that works. */
async function isTooOld(session: EngineQuery, level: MarkLevel, number: VersionNumber | null, oldest: VersionNumber) {
  if (level > 0) return level === 1;
  return number === null ? !(await takesSkipLocked(session)) : olderThan(number, oldest);
}

async function detect(session: EngineQuery, said: Introduced): Promise<Engine> {
  const variables = await askVariables(session);
  const recognised = await recognise(session, said, variables);
  const { kind } = recognised;
  const number = await numberOf(session, kind, said, variables);
  const name = nameOf(recognised, number, said);
  if (kind === 'mariadb' || kind === 'mysql') {
    if (await isTooOld(session, said[kind], number, OLDEST[kind])) {
      throw new RelayError('DB_UNSUPPORTED', `${name} is older than ${OLDEST[kind].join('.')}: upgrade the server`);
    }
  }
  const [major, minor, patch] = number ?? [0, 0, 0];
  const isStepped = kind !== 'tidb' && kind !== 'singlestore';
  return {
    kind,
    name,
    version: said.version,
    major,
    minor,
    patch,
    cachesStatistics: kind !== 'tidb' && variables.has('information_schema_stats_expiry'),
    ...said.sizes,
    autoIncrementIncrement: isStepped ? Number(variables.get('auto_increment_increment') ?? 1) : 1,
    autoIncrementOffset: isStepped ? Number(variables.get('auto_increment_offset') ?? 1) : 1,
  };
}

/**
 * Two questions for a new server, one for a server that `memory` knows. A third is asked of a MariaDB that presents another
 * version, and of a MySQL with something in between.
 * Rejects with DB_UNSUPPORTED when the server is a MariaDB before 10.6 or a MySQL before 8.0.22.
 */
export async function detectEngine(session: EngineQuery, memory: EngineMemory = new EngineMemory()): Promise<Engine> {
  const known = memory.engine;
  const isStepped = known?.kind === 'mariadb' || known?.kind === 'mysql';
  const again = isStepped ? await askIntroductionAgain(session) : null;
  if (known && again && memory.matches(again)) return { ...known, ...again.sizes };
  const said = again ?? (await askIntroduction(session));
  if (known && !isStepped && memory.matches(said)) {
    return { ...known, statementBytesMax: said.sizes.statementBytesMax };
  }
  const engine = await detect(session, said);
  memory.remember(said, engine);
  return engine;
}
