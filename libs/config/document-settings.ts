/** The table of settings as Markdown, as help text, and as .env.example: generated, so that none of them can rot. */
import { ENV_PREFIX } from './setting.ts';
import { envName, GROUPS, type SettingName, settingOf, shownDefault } from './settings.ts';
import { SOURCE_FIELDS } from './settings-source.ts';

const HELP_WIDTH = 100;

/** A whole file that loads as it stands, shown in the README and tried by a test. */
export const YAML_EXAMPLE = `db_host: db.example
db_user: relay
db_name: shop
db_password_file: /run/secrets/db_password
kafka_bootstrap_servers: [kafka-1.example:9092, kafka-2.example:9092]
sources:
  - table: orders
    watermark_column: id
    key_column: customer_id
    topic: orders
  - table: outbox_events
    mode: consume
    topic_column: topic
    key_column: aggregate_id
    lanes: 16
`;

function cell(content: string): string {
  return content.replaceAll('|', '\\|');
}

function defaultCell(name: SettingName): string {
  const shown = shownDefault(name);
  return shown.startsWith('(') ? shown : `\`${shown}\``;
}

const INTRODUCTION = `Settings come from the command line, the environment, a file \`.env\`, and a YAML file (\`--config\` or
\`${ENV_PREFIX}CONFIG\`), in this order of precedence. The file \`.env\` is the one in the folder in which a program is started, and
is read when it is there; of it count the lines that begin with \`${ENV_PREFIX}\`, and nothing else is put into the environment.
\`kafka-row-sender config show\` says where each value comes from. Durations are in seconds, decimals allowed; sizes in bytes. An empty
value is an unset one. A secret can come from a file instead, named by the same variable with \`_FILE\` behind it. Unknown
names, wrong types and contradictions are refused at start, all of them in one message.`;

const YAML_TEXT = `**The YAML file** holds the same settings in lower case and without the prefix, and a list of \`sources\` instead of the
settings \`SOURCE_NAME\`, \`_TABLE\`, \`_WATERMARK_COLUMN\`, \`_COLUMNS\` and \`_MODE\`. What an entry does not say is as in the
setting that its field is like.

\`\`\`yaml
${YAML_EXAMPLE}\`\`\``;

/** Markdown for the README: a table a group, then the YAML file and the fields of its `sources`. */
export function settingsTable(): string {
  const tables = GROUPS.map(({ title, names }) => {
    const rows = names.map((name) => {
      const row = settingOf(name);
      const secret = row.secret ? ' A secret: also as `_FILE`.' : '';
      const columns = [`\`${envName(name)}\``, defaultCell(name), `${row.text}${secret}`, row.type];
      return `| ${columns.map(cell).join(' | ')} |`;
    });
    const head = [`**${title}**`, '', '| Variable | Default | Meaning | Type |', '|---|---|---|---|'];
    return [...head, ...rows].join('\n');
  });
  return [INTRODUCTION, ...tables, YAML_TEXT, sourceFieldsTable()].join('\n\n');
}

function sourceFieldsTable(): string {
  const rows = Object.entries(SOURCE_FIELDS).map(([field, name]) => `| \`${field}\` | \`${envName(name)}\` |`);
  return ['**Fields of an entry of `sources`**', '', '| Field | Like |', '|---|---|', ...rows].join('\n');
}

/** Plain text for the `help` command. */
export function settingsHelp(): string {
  return GROUPS.map(({ title, names }) => {
    const entries = names.map((name) => {
      const row = settingOf(name);
      const facts = `${row.type}; default ${shownDefault(name)}${row.secret ? '; also as _FILE' : ''}`;
      return [`  ${envName(name)}`, ...wrap(`${plain(row.text)} [${facts}]`, '      ')].join('\n');
    });
    return [`${title}:`, ...entries].join('\n');
  }).join('\n\n');
}

/** The text of .env.example: every setting with its meaning, the optional ones commented out. */
export function envExample(): string {
  const head = [
    'Settings of kafka-row-sender. Copy this file to .env and fill in the lines without a # in front.',
    'Generated from the table of settings: change it there, then run npm run docs.',
    'Empty means unset. A line that begins with #KAFKA_ROW_SENDER_ shows a default or an optional setting.',
  ];
  const groups = GROUPS.map(({ title, names }) =>
    [`# --- ${title} ---`, ...names.flatMap((name) => envExampleLines(name))].join('\n'),
  );
  return `${[head.map((line) => `# ${line}`).join('\n'), ...groups].join('\n\n')}\n`;
}

/** Settings that the example leaves for the user to fill in: what `run` cannot do without. */
const TO_FILL_IN: readonly SettingName[] = ['DB_USER', 'DB_PASSWORD', 'DB_NAME', 'SOURCE_TABLE', 'KAFKA_TOPIC'];

function envExampleLines(name: SettingName): readonly string[] {
  const row = settingOf(name);
  const comment = wrap(`${plain(row.text)} [${row.type}]`, '# ');
  const sign = TO_FILL_IN.includes(name) ? '' : '#';
  const file = row.secret ? [`#${envName(name)}_FILE=`] : [];
  return ['#', ...comment, `${sign}${envName(name)}=${row.default ?? ''}`, ...file];
}

/** Text without Markdown's quotes; names of settings get their prefix, since here one looks for them by name. */
function plain(markdown: string): string {
  return markdown.replace(/`([^`]*)`/g, (_, code: string) =>
    /^[A-Z]+(_[A-Z]+)+$/.test(code) ? `${ENV_PREFIX}${code}` : code,
  );
}

function wrap(words: string, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= HELP_WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}
