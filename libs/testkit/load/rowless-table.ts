/**
 * The tables of a load whose statements own ids without rows: a source table with unique keys, a parent and a child, triggers that
 * wait as each row says, rows that everybody replaces, and what decides an unknown commit.
 */

export const ROWLESS_TABLE = 'soak_rows';
export const ROWLESS_WATERMARK = 'id';
export const ROWLESS_KEY = 'k';
/** One row for each transaction that was committed: decides a commit whose answer was lost. */
export const ROWLESS_TRANSACTIONS = 'soak_transactions';
export const ROWLESS_CHILDREN = 'soak_children';
/** In the order of a row's values. */
export const ROWLESS_COLUMNS = ['code', 'alias', 'k', 'token', 'parent', 'gate', 'nap', 'note'] as const;

/** Rows that are replaced, updated and locked by all connections. */
export const HOT_ROWS = 600;
export const GATES = 60;
export const PARENTS = 60;
/** Most rows of one INSERT .. SELECT. */
export const NUMBERS = 5_000;
/** Keys of fresh rows, shared by all connections. */
export const FRESH_KEYS = 200;
const HOT_KEYS = 60;

/**
 * A row that nobody touches, in front of the hot ones in both unique keys. Whoever looks for a duplicate of a hot row locks the gap
 * in front of it; without this row between them all inserts of fresh rows would wait there.
 */
export const FENCE = HOT_ROWS;
export const hotCode = (hot: number): string => (hot === FENCE ? 'd-fence' : `hot-${hot}`);
export const aliasOf = (hot: number): number => (hot === FENCE ? -1 : hot);
export const hotKey = (hot: number): string => `hot-key-${hot % HOT_KEYS}`;
export const freshCode = (token: number): string => `c-${token}`;
/** A fresh code that lies in a gap between hot ones. */
export const besideHot = (token: number): string => `hot-${token % HOT_ROWS}-${token}`;
export const freshKey = (token: number): string => `key-${token % FRESH_KEYS}`;

export interface RowlessTableOptions {
  /** A child refers to the table. Without one a REPLACE may update the row in place of its removal. */
  readonly child: boolean;
}

/** An update that leaves a column alone does not wait a second time. */
const isNew = (when: 'INSERT' | 'UPDATE', column: string): string =>
  `NEW.${column} IS NOT NULL${when === 'UPDATE' ? ` AND NOT NEW.${column} <=> OLD.${column}` : ''}`;

/** `nap` is in milliseconds; `gate` is a row that another session may hold. */
const trigger = (when: 'INSERT' | 'UPDATE'): string => `CREATE TRIGGER soak_before_${when.toLowerCase()}
  BEFORE ${when} ON ${ROWLESS_TABLE} FOR EACH ROW BEGIN
    DECLARE held INT;
    IF ${isNew(when, 'nap')} THEN DO SLEEP(NEW.nap / 1000); END IF;
    IF ${isNew(when, 'gate')} THEN SELECT n INTO held FROM soak_gates WHERE id = NEW.gate FOR UPDATE; END IF;
  END`;

const list = (count: number, row: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => row(index)).join(', ');

/** Statements, in order, on an empty database. */
export function rowlessTables({ child }: RowlessTableOptions): readonly string[] {
  return [
    'CREATE TABLE soak_parents (id INT PRIMARY KEY, n INT NOT NULL) ENGINE = InnoDB',
    `INSERT INTO soak_parents VALUES ${list(PARENTS, (index) => `(${index}, 0)`)}`,
    'CREATE TABLE soak_gates (id INT PRIMARY KEY, n INT NOT NULL) ENGINE = InnoDB',
    `INSERT INTO soak_gates VALUES ${list(GATES, (index) => `(${index}, 0)`)}`,
    'CREATE TABLE soak_numbers (seq INT PRIMARY KEY) ENGINE = InnoDB',
    `INSERT INTO soak_numbers VALUES ${list(NUMBERS, (index) => `(${index + 1})`)}`,
    `CREATE TABLE ${ROWLESS_TRANSACTIONS} (tag INT PRIMARY KEY) ENGINE = InnoDB`,
    `CREATE TABLE ${ROWLESS_TABLE} (
      id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      code VARCHAR(40) NOT NULL UNIQUE,
      alias INT NULL UNIQUE,
      k VARCHAR(40) NOT NULL,
      token BIGINT NOT NULL,
      version INT NOT NULL DEFAULT 1,
      parent INT NULL,
      gate INT NULL,
      nap INT NULL,
      note VARCHAR(100) NULL,
      FOREIGN KEY (parent) REFERENCES soak_parents (id)
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`,
    ...(child
      ? [
          `CREATE TABLE ${ROWLESS_CHILDREN} (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            row_id BIGINT NOT NULL,
            FOREIGN KEY (row_id) REFERENCES ${ROWLESS_TABLE} (id) ON DELETE CASCADE
          ) ENGINE = InnoDB`,
        ]
      : []),
    trigger('INSERT'),
    trigger('UPDATE'),
  ];
}
