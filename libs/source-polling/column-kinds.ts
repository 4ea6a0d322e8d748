/** Which JSON a column becomes, by the type that the result itself carries; pure. */
import type { WireColumn } from '#database';
import { eventColumns, type PlanColumn, type ReadPlan } from './read-plan.ts';

/**
 * `number`: digits as printed. `text`: JSON string. `base64`: bytes. `json`: embedded as it is. `checked-json`: embedded
 * when it parses, else a string. `float`: by its DOUBLE companion.
 */
export type ColumnKind = 'number' | 'text' | 'base64' | 'json' | 'checked-json' | 'float';

/** `stale`: the table has changed since the plan was made. `not-utf8`: the session does not speak utf8mb4. */
export type KindsOutcome = readonly ColumnKind[] | 'stale' | 'not-utf8';

const BINARY_COLLATION = 63;
const TYPE_FLOAT = 4;
const TYPE_JSON = 245;
/** DECIMAL, TINY, SHORT, LONG, DOUBLE, LONGLONG, INT24, YEAR, NEWDECIMAL. */
const NUMBERS: ReadonlySet<number> = new Set([0, 1, 2, 3, 5, 8, 9, 13, 246]);
/** TIMESTAMP, DATE, TIME, DATETIME, NEWDATE, and the 2-suffixed ones: ASCII text, though their collation says binary. */
const TEMPORALS: ReadonlySet<number> = new Set([7, 10, 11, 12, 14, 17, 18, 19]);
/** BIT, VECTOR, GEOMETRY. */
const BYTES: ReadonlySet<number> = new Set([16, 242, 255]);
/** MariaDB types that travel as text in a binary collation. */
const TEXT_BY_NAME: ReadonlySet<string> = new Set(['uuid', 'inet4', 'inet6']);

function kindOf(column: PlanColumn, field: WireColumn): ColumnKind | 'stale' | 'not-utf8' {
  const { columnType } = field;
  if (columnType === TYPE_FLOAT) return column.doubleAt === null ? 'stale' : 'float';
  if (NUMBERS.has(columnType)) return 'number';
  if (TEMPORALS.has(columnType)) return 'text';
  if (columnType === TYPE_JSON) return 'json';
  if (BYTES.has(columnType)) return 'base64';
  if (field.extendedTypeName !== undefined && TEXT_BY_NAME.has(field.extendedTypeName)) return 'text';
  if (field.characterSet === BINARY_COLLATION) return 'base64';
  if (field.encoding !== 'utf8') return 'not-utf8';
  return column.checkedJson || field.extendedFormat === 'json' ? 'checked-json' : 'text';
}

/** Kinds by place in the result row, for the places that the plan uses. */
export function resolveKinds(plan: ReadPlan, fields: readonly WireColumn[]): KindsOutcome {
  const { expectedNames } = plan;
  if (fields.length !== expectedNames.length) return 'stale';
  for (let at = 0; at < fields.length; at += 1) {
    const expected = expectedNames[at];
    if (expected !== null && expected !== fields[at]?.name) return 'stale';
  }
  const kinds: ColumnKind[] = new Array(fields.length).fill('base64');
  const ofEvent = plan.event === null ? [] : eventColumns(plan.event);
  for (const column of [...plan.jsonColumns, plan.position, plan.key, plan.topic, ...ofEvent]) {
    if (column === null) continue;
    const kind = kindOf(column, fields[column.at] as WireColumn);
    if (kind === 'stale' || kind === 'not-utf8') return kind;
    kinds[column.at] = kind;
  }
  return kinds[plan.position.at] === 'number' ? kinds : 'stale';
}
