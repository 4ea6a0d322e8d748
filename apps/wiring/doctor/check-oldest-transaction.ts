/** A transaction open for long holds back purge and keeps gaps open; in gap mode time it loses its rows. */
import { RelayError } from '#runtime';
import type { GapHolders, SourceStatus, Status } from '../read-status.ts';
import type { ServerLook } from './facts.ts';
import { broken, databaseCheck, fine, type Judgement, risky, unknown } from './finding.ts';

const LONG_MS = 60_000;

const XA = 'XA RECOVER shows it; XA COMMIT or XA ROLLBACK ends it';

/** Ends the transaction of the connection; null: it is prepared, and has none. */
const howToEnd = (connection: string | null): string =>
  connection === null ? XA : `look at it in information_schema.innodb_trx; KILL ${connection} ends it`;

const nameOf = (connection: string | null): string =>
  connection === null ? 'a prepared XA transaction' : `the transaction of connection ${connection}`;

const seconds = (ms: number): number => Math.round(ms / 1_000);

/** For the very user and host, where a source's proof has told it. */
export function grantProcess(sources: ServerLook['sources']): string {
  const told = sources.flatMap(({ tried }) => (tried instanceof RelayError ? [] : (tried.proof.betterBy ?? [])));
  return told[0] ?? "GRANT PROCESS ON *.* TO the relay's user";
}

function judgeOldest({ server, sources }: ServerLook): Judgement {
  const { seesTransactions, oldestTransaction: oldest } = server;
  if (!seesTransactions) return unknown('', 'not shown to this user', grantProcess(sources));
  if (oldest === null) return fine('', 'none is open');
  const is = `${nameOf(oldest.thread)} has been open for ${seconds(oldest.ageMs)} s`;
  const mend = howToEnd(oldest.thread);
  const late = sources.find(
    ({ tried }) => !(tried instanceof RelayError) && tried.proof.mode === 'time' && oldest.ageMs > tried.graceMs,
  );
  if (late !== undefined) {
    const { name } = late.source;
    return broken(
      '',
      `${is}, longer than the grace of source ${name}: rows it inserted there may be passed over`,
      mend,
    );
  }
  if (oldest.ageMs < LONG_MS) return fine('', is);
  return risky('', `${is}: it holds back purge, and the ids that it took stay open as gaps`, mend);
}

function judgeGaps({ name, gaps }: SourceStatus, holders: GapHolders | null): Judgement[] {
  if (gaps === null || gaps.oldestMs < LONG_MS) return [];
  const ids = gaps.missing === 1n ? 'missing id' : 'missing ids';
  const open = `${gaps.missing} ${ids} may still become rows, the oldest for ${seconds(gaps.oldestMs)} s`;
  if (holders === null) {
    const ends = 'end transactions that were forgotten; in gap mode locks or time wait for SOURCE_GAP_GRACE';
    return [risky(`source ${name}`, `${open}; who holds them is not known`, ends)];
  }
  const { connection, since, transactions } = holders;
  const who = `held by ${nameOf(connection)}, open since ${since}, the oldest of ${transactions}`;
  return [risky(`source ${name}`, `${open}; ${who}; other rows go on`, howToEnd(connection))];
}

const heldGaps = ({ sources, gapHolders }: Status): Judgement[] =>
  sources.flatMap((source) => judgeGaps(source, source.gapMode === 'transactions' ? gapHolders : null));

export const oldestTransaction = databaseCheck(
  'oldest-transaction',
  'age of the oldest open transaction, and the missing ids that wait for it',
  (database, { relay }) => [judgeOldest(database), ...(relay === null ? [] : heldGaps(relay.status))],
);
