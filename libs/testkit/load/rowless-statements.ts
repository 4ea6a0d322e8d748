/** The SQL of a planned statement, with the rows that it gives the database: each has a token that no other row version has. */
import { Readable } from 'node:stream';
import { systemClock } from '#runtime';
import type { StatementPlan } from './plan-rowless.ts';
import {
  aliasOf,
  besideHot,
  freshCode,
  freshKey,
  hotCode,
  hotKey,
  ROWLESS_COLUMNS,
  ROWLESS_TABLE,
} from './rowless-table.ts';

export interface BuiltStatement {
  readonly sql: string;
  readonly values: readonly unknown[];
  /** Keys of its rows, whose tokens follow one another from the first. */
  readonly keys: readonly string[];
  /** LOAD DATA: the file, as a stream. */
  readonly file?: () => Readable;
}

const COLUMNS = ROWLESS_COLUMNS.join(', ');
const UPDATE =
  'token = VALUES(token), version = version + 1, nap = VALUES(nap), gate = VALUES(gate), id = LAST_INSERT_ID(id)';

/** Statements of few rows put every sixth one beside a row that is replaced and locked all the time. */
const NEIGHBOURS_ROWS_MAX = 10;
const NEIGHBOUR_EVERY = 6;

interface Row {
  readonly code: string;
  readonly alias: number | null;
  readonly key: string;
  readonly token: number;
}

/** How many tokens it needs. */
export const tokensOf = ({ kind, hot, fresh }: StatementPlan): number => (kind === 'delete' ? 0 : hot.length + fresh);

function rowsOf({ hot, fresh, alias }: StatementPlan, token: number): Row[] {
  const rows = hot.map((number, index): Row => {
    const own = index === 0 && alias !== null ? alias : number;
    return { code: hotCode(number), alias: aliasOf(own), key: hotKey(number), token: token + index };
  });
  for (let at = token + hot.length; at < token + hot.length + fresh; at += 1) {
    const code = fresh <= NEIGHBOURS_ROWS_MAX && at % NEIGHBOUR_EVERY === 0 ? besideHot(at) : freshCode(at);
    rows.push({ code, alias: null, key: freshKey(at), token: at });
  }
  return rows;
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(3);

/** `explicitId` is for the kind that names one. */
export function buildStatement(plan: StatementPlan, token: number, explicitId: number): BuiltStatement {
  const rows = rowsOf(plan, token);
  const keys = rows.map(({ key }) => key);
  switch (plan.kind) {
    case 'update':
      return {
        sql: `UPDATE ${ROWLESS_TABLE} SET token = ?, version = version + 1, nap = ?, gate = ? WHERE code = ?`,
        values: [token, plan.napMs, plan.gate, rows[0]?.code],
        keys,
      };
    case 'delete':
      return { sql: `DELETE FROM ${ROWLESS_TABLE} WHERE code = ?`, values: [rows[0]?.code], keys };
    case 'load-data':
      return { ...loadData(plan, rows), keys };
    case 'insert-select':
    case 'insert-ignore-select':
      return { ...insertSelect(plan, rows, token), keys };
    case 'insert-explicit-id':
      return { ...insertExplicit(rows, explicitId), keys };
    default:
      return { ...insertValues(plan, rows), keys };
  }
}

function insertValues(plan: StatementPlan, rows: readonly Row[]): { sql: string; values: unknown[] } {
  const { kind, slowMs, napMs, gate, parent } = plan;
  const slowAt = kind === 'insert-ignore-slow' ? Math.min(1, rows.length - 1) : -1;
  const middle = Math.floor(rows.length / 2);
  const place = '(?, ?, ?, ?, ?, ?, ?, ?)';
  const slow = `(?, ?, ?, ?, ?, ?, ?, CONCAT(?, SLEEP(${seconds(slowMs)})))`;
  const values = rows.flatMap(({ code, alias, key, token }, index) => {
    const waits = index === middle ? [parent, gate, napMs] : [null, null, null];
    return [code, alias, key, token, ...waits, 'v'];
  });
  const verb = kind.startsWith('replace') ? 'REPLACE' : kind.startsWith('insert-ignore') ? 'INSERT IGNORE' : 'INSERT';
  const places = rows.map((_, index) => (index === slowAt ? slow : place)).join(', ');
  const update =
    kind === 'upsert'
      ? ` ON DUPLICATE KEY UPDATE ${UPDATE}, note = 'u'`
      : kind === 'upsert-slow'
        ? ` ON DUPLICATE KEY UPDATE ${UPDATE}, note = CONCAT('u', SLEEP(${seconds(slowMs)}))`
        : '';
  return { sql: `${verb} INTO ${ROWLESS_TABLE} (${COLUMNS}) VALUES ${places}${update}`, values };
}

/** The rows are made by the server, which sleeps in the middle. */
function insertSelect(plan: StatementPlan, rows: readonly Row[], token: number): { sql: string; values: unknown[] } {
  const { kind, slowMs } = plan;
  const hot = plan.hot[0];
  const number = `${token - 1} + seq`;
  const of = (forHot: string, forFresh: string) =>
    hot === undefined ? forFresh : `IF(seq = 1, '${forHot}', ${forFresh})`;
  const code = of(hotCode(hot ?? 0), `CONCAT('${freshCode(0).slice(0, -1)}', ${number})`);
  const key = of(hotKey(hot ?? 0), `CONCAT('${freshKey(0).slice(0, -1)}', (${number}) % ${freshKeys()})`);
  const slowAt = Math.max(1, Math.ceil(rows.length / 2));
  const note = slowMs === 0 ? "'s'" : `IF(seq = ${slowAt}, CONCAT('s', SLEEP(${seconds(slowMs)})), 's')`;
  const verb = kind === 'insert-ignore-select' ? 'INSERT IGNORE' : 'INSERT';
  const select = `SELECT ${code}, NULL, ${key}, ${number}, NULL, NULL, NULL, ${note} FROM soak_numbers WHERE seq <= ?`;
  return { sql: `${verb} INTO ${ROWLESS_TABLE} (${COLUMNS}) ${select}`, values: [rows.length] };
}

/** Counted from the keys themselves, so that server and client cannot differ. */
function freshKeys(): number {
  let count = 1;
  while (freshKey(count) !== freshKey(0)) count += 1;
  return count;
}

/** An id far ahead between two that the server gives. */
function insertExplicit(rows: readonly Row[], id: number): { sql: string; values: unknown[] } {
  const values = rows.flatMap(({ code, alias, key, token }, index) => [
    ...[index === 1 ? id : null, code, alias, key],
    ...[token, null, null, null, 'x'],
  ]);
  const places = rows.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ');
  return { sql: `INSERT INTO ${ROWLESS_TABLE} (id, ${COLUMNS}) VALUES ${places}`, values };
}

function loadData(plan: StatementPlan, rows: readonly Row[]): { sql: string; values: unknown[]; file: () => Readable } {
  const sql = `LOAD DATA LOCAL INFILE 'rows' ${plan.replaces ? 'REPLACE' : 'IGNORE'} INTO TABLE ${ROWLESS_TABLE} FIELDS TERMINATED BY ',' (code, alias, k, token, note)`;
  const lines = rows.map(({ code, alias, key, token }) => `${code},${alias ?? '\\N'},${key},${token},f\n`);
  const middle = Math.ceil(lines.length / 2);
  async function* pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from(lines.slice(0, middle).join(''));
    if (plan.slowMs > 0) await systemClock.sleep(plan.slowMs);
    if (middle < lines.length) yield Buffer.from(lines.slice(middle).join(''));
  }
  return { sql, values: [], file: () => Readable.from(pieces()) };
}
