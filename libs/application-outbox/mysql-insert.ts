/**
 * The INSERT of events on a connection whose sql_mode and character sets the application chose: exact, or it fails as a whole.
 *
 * One way for all libraries. Values are literals of letters and digits (sql-literals.ts in libs/database says why), so the text
 * has no placeholder, and no driver or library has anything to escape or to convert.
 *
 * What the text says is not yet what the table keeps. Without a strict sql_mode a server cuts a value that is too long and puts
 * question marks for characters that a column's character set lacks; in any sql_mode it cuts spaces at the end, and changes what
 * a column of another type keeps. An INSERT may name columns that it has set before, and sees what they keep. So the last
 * column's expression compares each of the others with what it was given, and fails for the first that differs: the server then
 * undoes the statement. This costs no round trip, and no rights but INSERT on MariaDB, INSERT and SELECT on MySQL.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { bytesLiteral, failWith, textLiteral } from '#database';

/** A row's values by column; a text or null. */
export interface RowTexts {
  readonly id: string;
  readonly aggregatetype: string;
  readonly aggregateid: string;
  readonly type: string;
  readonly tracingspancontext: string | null;
  readonly source: string | null;
  readonly dataversion: string;
  readonly correlationid: string | null;
  readonly causationid: string | null;
  readonly topic: string | null;
  readonly recordkey: string | null;
}

export interface MysqlRow {
  readonly texts: RowTexts;
  readonly payload: Uint8Array | null;
  /** None: NULL. */
  readonly headers: Readonly<Record<string, string>>;
  /** As a DATETIME takes it; it carries the comparison, and is itself not compared. */
  readonly timestamp: string;
}

const TEXT_COLUMNS = [
  'id',
  'aggregatetype',
  'aggregateid',
  'type',
  'tracingspancontext',
  'source',
  'dataversion',
  'correlationid',
  'causationid',
  'topic',
  'recordkey',
] as const satisfies readonly (keyof RowTexts)[];

/** In the order of the INSERT: the expression of the last sees what all others keep. */
export const COLUMNS = [...TEXT_COLUMNS, 'payload', 'headers', 'timestamp'] as const;

const quoted = (column: string): string => `\`${column}\``;

/** First bytes of characters that utf8mb3 has not. */
const FOUR_BYTES = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4];

/** Character sets in which a column keeps these bytes: elsewhere a server may put a question mark for each. */
function charsetsKeeping(payload: Uint8Array): string[] {
  if (!isUtf8(payload)) return ['binary'];
  return FOUR_BYTES.some((byte) => payload.includes(byte))
    ? ['binary', 'utf8mb4']
    : ['binary', 'utf8mb4', 'utf8mb3', 'utf8'];
}

/** Character set and length tell: the bytes can be many, and are not written a second time. */
function isPayloadKept(payload: Uint8Array | null): string {
  if (payload === null) return '`payload` IS NULL';
  const keeping = charsetsKeeping(payload).map(textLiteral).join(', ');
  // In any other character set ASCII alone is sure to be read as it is, where its length is the same once it is converted.
  const elsewhere = isAscii(payload) ? 'OCTET_LENGTH(CONVERT(`payload` USING utf8mb4))' : '-1';
  const length = `CASE WHEN CHARSET(\`payload\`) IN (${keeping}) THEN OCTET_LENGTH(\`payload\`) ELSE ${elsewhere} END`;
  return `${length} <=> ${payload.length}`;
}

/** What a column keeps, as a session in utf8mb4 reads it, byte by byte: a collation would take other texts for the same. */
const kept = (column: string): string => `CAST(CONVERT(${quoted(column)} USING utf8mb4) AS BINARY)`;

const isSame = (column: string, text: string | null): string =>
  text === null ? `${quoted(column)} IS NULL` : `${kept(column)} <=> ${bytesLiteral(Buffer.from(text))}`;

/** A column of type JSON keeps the members and not their text. */
function areHeadersKept(json: string | null, count: number): string {
  if (json === null) return isSame('headers', null);
  const members = `JSON_VALID(\`headers\`) AND JSON_CONTAINS(\`headers\`, ${textLiteral(json)}) AND JSON_LENGTH(\`headers\`) = ${count}`;
  return `(${isSame('headers', json)} OR (${members}))`;
}

/** No byte of UTF-8. */
const BETWEEN = 0xff;

/** All texts in one comparison: a server takes some microseconds for each function of a statement. */
function areTextsKept(texts: RowTexts): string {
  const present = TEXT_COLUMNS.filter((column) => texts[column] !== null);
  const absent = TEXT_COLUMNS.filter((column) => texts[column] === null).map((column) => isSame(column, null));
  const between = Buffer.of(BETWEEN);
  const given = present.flatMap((column) => [between, Buffer.from(texts[column] as string)]);
  const found = present.map((column) => `${bytesLiteral(between)}, ${kept(column)}`).join(', ');
  return [`CONCAT(${found}) <=> ${bytesLiteral(Buffer.concat(given))}`, ...absent].join(' AND ');
}

/** Columns of an INSERT, in brackets. */
export const INSERT_COLUMNS = `(${COLUMNS.map(quoted).join(', ')})`;

/**
 * The values of one row, in brackets. Where the table does not keep one the statement fails with OUT_OF_RANGE_ERRNO; with
 * `naming` each column is compared by itself, and the server's message names the first that differs.
 */
export function rowLiterals({ texts, payload, headers, timestamp }: MysqlRow, naming: boolean): string {
  const headerCount = Object.keys(headers).length;
  const json = headerCount === 0 ? null : JSON.stringify(headers);
  const text = (value: string | null) => (value === null ? 'NULL' : textLiteral(value));
  const checks = [
    ...(naming
      ? TEXT_COLUMNS.map((column) => [column, isSame(column, texts[column])] as const)
      : [['id', areTextsKept(texts)] as const]),
    ['payload', isPayloadKept(payload)] as const,
    ['headers', areHeadersKept(json, headerCount)] as const,
  ];
  // A comparison that comes to NULL has not shown that the value was kept.
  const faults = checks.map(([column, ok]) => `WHEN NOT (COALESCE(${ok}, FALSE)) THEN ${failWith(quoted(column))}`);
  const values = [
    ...TEXT_COLUMNS.map((column) => text(texts[column])),
    payload === null ? 'NULL' : bytesLiteral(payload),
    text(json),
    `CASE ${faults.join(' ')} ELSE ${textLiteral(timestamp)} END`,
  ];
  return `(${values.join(', ')})`;
}
