/** What no single setting shows: required ones that are missing, and settings that contradict each other. */
import type { LabelledSource } from './build-sources.ts';
import type { SourceConfig } from './config.ts';
import type { Problems } from './problems.ts';
import type { Resolved } from './resolve-values.ts';
import { envName, SETTING_NAMES, SETTINGS, type SettingName, settingOf } from './settings.ts';
import { LANES_MAX, SOURCE_NAME_PATTERN } from './settings-source.ts';

/** What a command cannot do without: the database's user and name, or at least one source with a topic. */
export type Need = 'database' | 'sources';

export function checkRequired(needs: readonly Need[], resolved: Resolved, listed: boolean, problems: Problems): void {
  const { given } = resolved;
  const isMissing = (name: SettingName) => !given.has(name);
  if (needs.includes('database') && !given.has('DB')) {
    for (const name of SETTING_NAMES.filter((one) => settingOf(one).required && isMissing(one))) {
      problems.add(envName(name), `required; set it to the ${settingOf(name).text.replace(/\.$/, '').toLowerCase()}`);
    }
  }
  if (!needs.includes('sources') || listed) return;
  if (isMissing('SOURCE_TABLE')) {
    problems.add(envName('SOURCE_TABLE'), 'required; set it to the table to monitor, or list `sources` in a YAML file');
  }
  if (isMissing('KAFKA_TOPIC') && isMissing('KAFKA_TOPIC_COLUMN') && resolved.values.SOURCE_MODE === 'append') {
    problems.add(
      envName('KAFKA_TOPIC'),
      `required; set it to the topic to publish to, or ${envName('KAFKA_TOPIC_COLUMN')} to a column that holds it`,
    );
  }
}

/** Checks over all settings; one that was refused already takes part in none of them. */
export function checkContradictions(resolved: Resolved, problems: Problems): void {
  const { values } = resolved;
  const labelOf = (name: SettingName) => resolved.given.get(name)?.label ?? envName(name);
  const sound = (...names: readonly SettingName[]) => !names.some((name) => resolved.invalid.has(name));

  if (
    sound('KAFKA_RETRY_BACKOFF_BASE', 'KAFKA_RETRY_BACKOFF_MAX') &&
    values.KAFKA_RETRY_BACKOFF_MAX < values.KAFKA_RETRY_BACKOFF_BASE
  ) {
    problems.add(
      labelOf('KAFKA_RETRY_BACKOFF_MAX'),
      `below ${envName('KAFKA_RETRY_BACKOFF_BASE')}; make it at least as long`,
    );
  }
  const isIdempotenceAsked = resolved.given.has('KAFKA_ENABLE_IDEMPOTENCE') && values.KAFKA_ENABLE_IDEMPOTENCE;
  if (sound('KAFKA_ACKS', 'KAFKA_ENABLE_IDEMPOTENCE') && isIdempotenceAsked && !isAcksAll(values.KAFKA_ACKS)) {
    problems.add(labelOf('KAFKA_ENABLE_IDEMPOTENCE'), `true needs ${envName('KAFKA_ACKS')}=all; change one of the two`);
  }
  checkTables(resolved, labelOf, problems);
}

export function isAcksAll(acks: string): boolean {
  return acks === 'all' || acks === '-1';
}

export const TABLE_SETTINGS = [
  'OUTBOX_TABLE',
  'WATERMARK_TABLE',
  'LANE_TABLE',
  'MEMBER_TABLE',
  'DEAD_LETTER_TABLE',
  'TOPIC_TABLE',
  'GAP_TABLE',
  'SOURCE_FACTS_TABLE',
] as const satisfies readonly SettingName[];

/** Names are compared in lower case, because some servers fold them. */
function checkTables(resolved: Resolved, labelOf: (name: SettingName) => string, problems: Problems): void {
  const seen = new Map<string, SettingName>();
  for (const name of TABLE_SETTINGS) {
    if (resolved.invalid.has(name)) continue;
    const table = resolved.values[name].toLowerCase();
    const first = seen.get(table);
    if (first === undefined) seen.set(table, name);
    else problems.add(labelOf(name), `names the same table as ${envName(first)}; give each its own`);
  }
}

/** Mode `consume`: what only makes sense where rows stay. */
function checkConsumed(source: SourceConfig, label: string, own: ReadonlySet<string>, problems: Problems): void {
  if (source.startFrom !== 'earliest') {
    problems.add(label, 'in mode consume every row is moved; leave START_FROM at earliest, and delete rows not wanted');
  }
  if (source.columns !== null) {
    problems.add(label, 'in mode consume the payload is the value; leave out SOURCE_COLUMNS');
  }
  const archive = source.event?.archive?.table.toLowerCase();
  if (archive !== undefined && (archive === source.table.toLowerCase() || own.has(archive))) {
    problems.add(
      label,
      `archives to ${source.event?.archive?.table}, a table with another use; give it a table of its own`,
    );
  }
}

export function checkSources(
  sources: readonly LabelledSource[],
  resolved: Resolved,
  listed: boolean,
  problems: Problems,
): void {
  const own = new Set(TABLE_SETTINGS.map((name) => resolved.values[name].toLowerCase()));
  if (resolved.values.DB !== null) own.add(`${resolved.values.WATERMARK_TABLE.toLowerCase()}_file`);
  const seen = new Map<string, string>();
  for (const { label, source } of sources) {
    const name = source.name.toLowerCase();
    const first = seen.get(name);
    if (first === undefined) seen.set(name, label);
    else problems.add(label, `has the name ${source.name} like ${first}; give one of them another \`name\``);
    if (!SOURCE_NAME_PATTERN.test(source.name)) {
      // Not made up here: it is part of the ids that consumers see, so that a person chooses it once.
      const where = listed ? '`name`' : envName('SOURCE_NAME');
      problems.add(
        label,
        `${source.name} cannot be the name of a source; set ${where} too, to ${SETTINGS.SOURCE_NAME.type}`,
      );
    }
    if (own.has(source.table.toLowerCase())) {
      problems.add(label, `${source.table} is a table of the relay itself; give another table`);
    }
    if (source.event !== null) checkConsumed(source, label, own, problems);
    if (listed && source.event === null && source.topic === null && source.topicColumn === null) {
      problems.add(label, `has no topic; give \`topic\` or \`topic_column\`, or set ${envName('KAFKA_TOPIC')}`);
    }
  }
  const lanes = sources.reduce((sum, { source }) => sum + source.lanes, 0);
  if (lanes > LANES_MAX) {
    problems.add('sources', `have ${lanes} lanes together; at most ${LANES_MAX} are possible, give them fewer`);
  }
}
