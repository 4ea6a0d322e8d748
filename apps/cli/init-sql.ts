/** `init-sql`: the statements that `init` executes, printed; needs no server and no settings. */
import { type Command, Option } from 'commander';
import type { SettingName } from '#config';
import type { EngineKind } from '#database';
import { initSql } from '#outbox-storage';
import { canaryTableSql } from '#source-polling';
import { initSql as fileInitSql } from '#sqlite-storage';
import type { Cli } from './cli.ts';

const TABLE_OPTIONS = [
  ['watermarkTable', 'WATERMARK_TABLE', 'watermark'],
  ['outboxTable', 'OUTBOX_TABLE', 'outbox'],
  ['laneTable', 'LANE_TABLE', 'lane'],
  ['memberTable', 'MEMBER_TABLE', 'member'],
  ['deadLetterTable', 'DEAD_LETTER_TABLE', 'dead letter'],
  ['topicTable', 'TOPIC_TABLE', 'topic'],
  ['gapTable', 'GAP_TABLE', 'gap'],
  ['sourceFactsTable', 'SOURCE_FACTS_TABLE', 'source facts'],
] as const satisfies readonly (readonly [string, SettingName, string])[];

type TableOptions = Readonly<Partial<Record<(typeof TABLE_OPTIONS)[number][0], string>>>;

const ENGINES = ['mariadb', 'mysql', 'singlestore', 'tidb', 'sqlite'] as const satisfies readonly (
  | EngineKind
  | 'sqlite'
)[];

/** The canary proves InnoDB's locks. An engine that was not recognised may have them, these two have not. */
export const hasCanary = (engine: EngineKind): boolean => engine !== 'singlestore' && engine !== 'tidb';

/** A comment, since only an administrator may execute it, and users have hosts. */
const grantComment = (user: string): string =>
  `-- Makes the promise that no row is lost unconditional (gap mode transactions); an administrator grants it:
-- GRANT PROCESS ON *.* TO '${(user || 'relay').replaceAll("'", "''")}'@'%';`;

type Engine = (typeof ENGINES)[number];

const flagOf = (setting: SettingName): string => `--${setting.toLowerCase().replaceAll('_', '-')} <name>`;

export function addInitSql(program: Command, cli: Cli): void {
  const command = program
    .command('init-sql')
    .description('print the statements that init executes')
    .addOption(new Option('--engine <name>', 'database they are for').choices(ENGINES).default('mariadb'));
  for (const [, setting, what] of TABLE_OPTIONS) {
    command.option(flagOf(setting), `name for the ${what} table (default: as in the settings)`);
  }
  command.option('--event-table <name>', 'the statement for an outbox table of the application, mode consume, too');
  command.action(async (options: TableOptions & { readonly engine: Engine; readonly eventTable?: string }) => {
    const overrides = TABLE_OPTIONS.flatMap(([option, setting]) => {
      const name = options[option];
      return name === undefined ? [] : [[setting, name] as const];
    });
    const { config } = cli.load({ needs: [], overrides: Object.fromEntries(overrides) });
    const { engine, eventTable: table } = options;
    if (engine === 'sqlite') cli.print(fileInitSql(config.tables).trimEnd());
    else cli.print(initSql(config.tables, engine).trimEnd());
    if (engine !== 'sqlite' && hasCanary(engine))
      cli.print(`\n${canaryTableSql()};\n\n${grantComment(config.db.user)}`);
    if (table === undefined) return;
    const { outboxTableSql } = await import('#application-outbox');
    const dialect = engine === 'sqlite' ? 'sqlite' : 'mysql';
    for (const sql of outboxTableSql({ table, dialect })) cli.print(`\n${sql};`);
  });
}
