/**
 * Servers that cannot be run in tests, as their documentation describes them: which executable comments they execute, which
 * variables they show, which statements they know. renamed-server.test.ts holds this model to the real server.
 */
import type { EngineQuery } from './question-server.ts';

export interface ServerByHand {
  readonly version: string;
  readonly comment?: string;
  /** Executes a comment of this sort (`!`, `M!`, `T!`) and number; none when left out, as behind a proxy that strips them. */
  readonly executes?: (sort: string, number: number) => boolean;
  readonly variables?: Readonly<Record<string, string>>;
  /** Parts of statements that it does not parse, with its error number. */
  readonly refuses?: readonly (readonly [RegExp, number])[];
  readonly knowsVitess?: boolean;
  /** MariaDB's list of plugins: the version of its InnoDB. */
  readonly innodbPlugin?: string;
  readonly connectionId?: string;
}

export const mysqlComments =
  (version: number) =>
  (sort: string, number: number): boolean =>
    sort === '!' && number <= version;

export const mariadbComments =
  (version: number) =>
  (sort: string, number: number): boolean =>
    (sort === 'M!' || (sort === '!' && (number < 50_700 || number > 99_999))) && number <= version;

/** As TiDB, whatever the number is. */
export const tidbComments = (sort: string): boolean => sort !== 'M!';

/** As other imitators of MySQL. */
export const anyComments = (sort: string): boolean => sort === '!';

/** The variables that MySQL 8 and later shows us. */
export const mysqlVariables = (innodb: string): Readonly<Record<string, string>> => ({
  auto_increment_increment: '3',
  auto_increment_offset: '2',
  information_schema_stats_expiry: '86400',
  innodb_page_size: '16384',
  innodb_version: innodb,
  pseudo_thread_id: '7',
});

export const mariadbVariables: Readonly<Record<string, string>> = {
  auto_increment_increment: '3',
  auto_increment_offset: '2',
  idle_transaction_timeout: '0',
  innodb_page_size: '16384',
  pseudo_thread_id: '7',
};

const fault = (errno: number): Error => Object.assign(new Error('refused'), { errno, code: 'ER_OF_THE_TEST' });

/** Answers as the server would, and counts what it was asked. */
export function serverByHand(server: ServerByHand): EngineQuery & { readonly asked: string[] } {
  const asked: string[] = [];
  const answer = (sql: string): readonly Record<string, unknown>[] => {
    const plain = sql.replaceAll(/\/\*(M?T?!)(\d*)(.*?)\*\//g, (_, sort: string, number: string, text: string) =>
      server.executes?.(sort, Number(number)) ? text : '',
    );
    const refused = server.refuses?.find(([part]) => part.test(plain));
    if (refused) throw fault(refused[1]);
    if (plain.startsWith('SELECT VERSION()')) return [valuesIn(plain, server)];
    if (plain.startsWith('SHOW VARIABLES')) {
      const rows = Object.entries(server.variables ?? {}).filter(([name]) => plain.includes(`'${name}'`));
      return rows.map(([Variable_name, Value]) => ({ Variable_name, Value }));
    }
    if (plain.startsWith('SHOW VITESS') && server.knowsVitess) return [{ Target: 'shop@primary' }];
    if (plain.includes('information_schema.plugins')) {
      return server.innodbPlugin === undefined ? [] : [{ own_number: server.innodbPlugin }];
    }
    if (plain.endsWith('SKIP LOCKED')) return [{ 1: 1 }];
    throw fault(1064);
  };
  return {
    asked,
    async query(sql) {
      asked.push(sql);
      return answer(sql);
    },
  };
}

/** The row of a SELECT whose columns are names we know or sums of ones. */
function valuesIn(sql: string, { version, comment, connectionId, variables }: ServerByHand): Record<string, unknown> {
  const known: Readonly<Record<string, string | undefined>> = {
    'VERSION()': version,
    'CONNECTION_ID()': connectionId ?? '7',
    '@@version_comment': comment ?? '',
    '@@max_allowed_packet': '16777216',
    '@@auto_increment_increment': variables?.auto_increment_increment,
    '@@auto_increment_offset': variables?.auto_increment_offset,
  };
  const columns = sql.slice('SELECT '.length).split(',');
  return Object.fromEntries(
    columns.map((column) => {
      const [expression = '', name = ''] = column.split(' AS ').map((part) => part.trim());
      if (!/^[01+\s]+$/.test(expression)) {
        if (known[expression] === undefined) throw fault(1193);
        return [name, known[expression]];
      }
      return [name, expression.split('+').reduce((sum, part) => sum + Number(part), 0)];
    }),
  );
}
