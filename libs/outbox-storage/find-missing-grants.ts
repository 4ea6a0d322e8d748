/**
 * Which rights on our tables this user lacks: tried by statements that touch no row, since rights may come by table, schema,
 * server or role, and only the server can add them up.
 */

import { errnoOf, type Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

export interface MissingGrant {
  /** As configured. */
  readonly table: string;
  readonly privileges: readonly Privilege[];
}

/** What writer, sender and commands do with each table, and a column to name in an UPDATE. */
export const GRANTS: Readonly<
  Record<keyof OutboxTables, { readonly column: string; readonly privileges: readonly Privilege[] }>
> = {
  outbox: { column: 'id', privileges: ['SELECT', 'INSERT', 'DELETE'] },
  watermark: { column: 'source', privileges: ['SELECT', 'INSERT', 'UPDATE'] },
  lane: { column: 'lane', privileges: ['SELECT', 'INSERT', 'UPDATE'] },
  member: { column: 'id', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
  deadLetter: { column: 'id', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
  topic: { column: 'topic', privileges: ['SELECT', 'INSERT', 'UPDATE'] },
  gap: { column: 'source', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
  sourceFacts: { column: 'source', privileges: ['SELECT', 'INSERT', 'UPDATE'] },
};

/** Access to the schema, the table, or a column of it is denied. */
const DENIED: ReadonlySet<number> = new Set([1044, 1142, 1143]);
/** The server takes no changes now, which says nothing of rights. */
const READ_ONLY: ReadonlySet<number> = new Set([1290, 1792, 1836]);

const tryOut = (privilege: Privilege, table: string, column: string): string => {
  switch (privilege) {
    case 'SELECT':
      return `SELECT 1 FROM ${table} LIMIT 0`;
    case 'INSERT':
      return `INSERT INTO ${table} SELECT * FROM ${table} WHERE 1 = 0`;
    case 'UPDATE':
      return `UPDATE ${table} SET ${column} = ${column} WHERE 1 = 0`;
    case 'DELETE':
      return `DELETE FROM ${table} WHERE 1 = 0`;
  }
};

/** One entry for each table with something missing. The tables must be there. */
export async function findMissingGrants(pool: Pool, tables: OutboxTables): Promise<readonly MissingGrant[]> {
  const quoted = quoteTables(tables);
  const missing: MissingGrant[] = [];
  for (const [name, { column, privileges }] of Object.entries(GRANTS)) {
    const key = name as keyof OutboxTables;
    const denied: Privilege[] = [];
    for (const privilege of privileges) {
      if (await isDenied(pool, tryOut(privilege, quoted[key], column))) denied.push(privilege);
    }
    if (denied.length > 0) missing.push({ table: tables[key], privileges: denied });
  }
  return missing;
}

async function isDenied(pool: Pool, sql: string): Promise<boolean> {
  try {
    await (sql.startsWith('SELECT') ? pool.query(sql) : pool.run(sql));
    return false;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== null && DENIED.has(errno)) return true;
    if (errno !== null && READ_ONLY.has(errno)) return false;
    throw error;
  }
}
