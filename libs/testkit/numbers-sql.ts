/** The numbers from 1 on as a table, in words that MariaDB and MySQL both know. */

/** To be used after FROM: a derived table named `numbers` with the column `seq`, 1 to `count` in no order; 100,000 at most. */
export function numbersSql(count: number): string {
  const digits = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS n`).join(' UNION ALL ');
  const powers = [1, 10, 100, 1_000, 10_000].filter((power) => power < count || power === 1);
  const tables = powers.map((_, index) => `(${digits}) d${index}`).join(' CROSS JOIN ');
  const sum = powers.map((power, index) => `d${index}.n * ${power}`).join(' + ');
  return `(SELECT seq FROM (SELECT 1 + ${sum} AS seq FROM ${tables}) every WHERE seq <= ${count}) numbers`;
}
