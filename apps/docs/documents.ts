/** The generated documents: which file (or which block of a file) holds what. Pure: text in, text out. */
import { envExample, settingsTable } from '#config';
import { metricsTable } from '#observability';
import { eventsTable } from './explain-events.ts';
import { checksTable } from './list-checks.ts';
import { fatalErrorsTable, sessionSettingsTable } from './list-database.ts';
import { stallsTable } from './list-stalls.ts';
import { typesTable } from './list-types.ts';

/** A block of a Markdown file between `<!-- name:start -->` and `<!-- name:end -->`. */
export interface Block {
  readonly name: string;
  readonly content: () => string;
}

export interface GeneratedFile {
  /** Relative to the repository. */
  readonly path: string;
  /** The file as it should be, given what it is now (null when missing). Throws when a block's marks are missing. */
  readonly render: (current: string | null) => string;
}

const README_BLOCKS: readonly Block[] = [{ name: 'settings', content: settingsTable }];

const OPERATIONS_BLOCKS: readonly Block[] = [
  { name: 'events', content: eventsTable },
  { name: 'metrics', content: metricsTable },
  { name: 'checks', content: checksTable },
  { name: 'database-errors', content: fatalErrorsTable },
  { name: 'session-settings', content: sessionSettingsTable },
  { name: 'stalls', content: stallsTable },
];

const TYPES_BLOCKS: readonly Block[] = [{ name: 'types', content: typesTable }];

/** A file of nothing but its blocks, for one that is missing. */
const marksOf = (blocks: readonly Block[]): string =>
  blocks.map(({ name }) => `<!-- ${name}:start -->\n<!-- ${name}:end -->\n`).join('\n');

const README_START = `# kafka-row-sender

Delivers rows of a MySQL-protocol database to Kafka exactly once, in order per key.

## Settings

<!-- settings:start -->
<!-- settings:end -->
`;

export const GENERATED_FILES: readonly GeneratedFile[] = [
  { path: '.env.example', render: () => envExample() },
  {
    path: 'README.md',
    render: (current) => README_BLOCKS.reduce(replaceBlock, current ?? README_START),
  },
  {
    path: 'docs/operations.md',
    render: (current) => OPERATIONS_BLOCKS.reduce(replaceBlock, current ?? marksOf(OPERATIONS_BLOCKS)),
  },
  {
    path: 'docs/types.md',
    render: (current) => TYPES_BLOCKS.reduce(replaceBlock, current ?? marksOf(TYPES_BLOCKS)),
  },
];

/** The text with the block's content replaced; everything around it stays as it is. */
export function replaceBlock(text: string, block: Block): string {
  const start = `<!-- ${block.name}:start -->`;
  const end = `<!-- ${block.name}:end -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the block ${start} .. ${end} is missing; put both lines in`);
  return `${text.slice(0, from + start.length)}\n${block.content()}\n${text.slice(to)}`;
}
