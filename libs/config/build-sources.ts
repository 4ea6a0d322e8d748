/** The sources: the list of the YAML file, or the one that the environment describes. */
import { unquotedName } from '#runtime';
import { buildEvent, EVENT_KEY_COLUMN, EVENT_WATERMARK_COLUMN } from './build-event.ts';
import { checkServerNames } from './check-server-names.ts';
import type { SourceConfig } from './config.ts';
import type { Given, Origin } from './given.ts';
import { nearestName } from './nearest-name.ts';
import type { Problems } from './problems.ts';
import { isMap, yamlText } from './read-yaml-file.ts';
import { parseGiven, REFUSED, type Resolved, type ShownSetting, showSetting } from './resolve-values.ts';
import { envName, type SettingName, settingOf, type Values } from './settings.ts';
import { ONE_SOURCE_ONLY, SOURCE_FIELDS } from './settings-source.ts';

type Field = keyof typeof SOURCE_FIELDS;
type SourceValues = Pick<Values, (typeof SOURCE_FIELDS)[Field]>;

const SOURCES_MAX = 256;
const FIELDS = Object.keys(SOURCE_FIELDS) as readonly Field[];

/** A source with the name that messages call it by. */
export interface LabelledSource {
  readonly label: string;
  readonly source: SourceConfig;
}

export interface BuiltSources {
  readonly sources: readonly LabelledSource[];
  readonly shown: readonly ShownSetting[];
}

/** `listed` is the file's list as written, null without one; `path` is that file's. */
export function buildSources(
  resolved: Resolved,
  listed: readonly unknown[] | null,
  path: string,
  problems: Problems,
): BuiltSources {
  const refused = refusedNames(resolved.given, resolved, problems);
  if (listed === null) {
    const { values } = resolved;
    const label = resolved.given.get('SOURCE_TABLE')?.label ?? envName('SOURCE_TABLE');
    const source =
      values.SOURCE_TABLE === null || refused.has('SOURCE_TABLE')
        ? null
        : sourceFrom(values, values.SOURCE_TABLE, resolved.given.has('SOURCE_WATERMARK_COLUMN'));
    return { sources: source === null ? [] : [{ label, source }], shown: [] };
  }
  for (const name of ONE_SOURCE_ONLY) {
    const given = resolved.given.get(name);
    if (given) problems.add(given.label, `contradicts the list of sources in ${path}; keep it in one of the two`);
  }
  if (listed.length > SOURCES_MAX)
    problems.add(`sources (${path})`, `more than ${SOURCES_MAX}; give fewer to one process`);
  const built = listed
    .slice(0, SOURCES_MAX)
    .map((entry, index) => buildEntry(entry, `sources[${index}]`, path, resolved, problems));
  return {
    sources: built.flatMap(({ source }) => source ?? []),
    shown: built.flatMap(({ shown }) => shown),
  };
}

/** On an SQLite file no name is refused. */
const refusedNames = (
  given: ReadonlyMap<SettingName, Given>,
  { values }: Resolved,
  problems: Problems,
): ReadonlySet<SettingName> => (values.DB === null ? checkServerNames(given, problems) : new Set());

interface BuiltEntry {
  readonly source: LabelledSource | null;
  readonly shown: readonly ShownSetting[];
}

function buildEntry(entry: unknown, at: string, path: string, resolved: Resolved, problems: Problems): BuiltEntry {
  const label = `${at} (${path})`;
  if (!isMap(entry)) {
    problems.add(label, 'not a source; give `table: ..` and its other fields');
    return { source: null, shown: [] };
  }
  const given = fieldsOf(entry, at, path, problems);
  const refused = refusedNames(given, resolved, problems);
  const values: Record<string, unknown> = { ...resolved.values };
  for (const name of ONE_SOURCE_ONLY) {
    const row = settingOf(name);
    values[name] = row.default === null ? null : row.schema.parse(row.default);
  }
  for (const [name, one] of given) {
    const everywhere = resolved.given.get(name);
    if (everywhere && name.startsWith('SOURCE_GAP_') && !everywhere.origin.startsWith('file')) {
      problems.add(everywhere.label, `contradicts ${one.label}; keep it in one of the two`);
    }
    const parsed = parseGiven(name, one, problems);
    if (parsed !== REFUSED) values[name] = parsed;
  }
  const table = values.SOURCE_TABLE;
  if (!given.has('SOURCE_TABLE')) problems.add(`${at}.table (${path})`, 'required; give the table to monitor');
  // Each value came out of its own setting's schema, which is what SourceValues says.
  const source =
    typeof table === 'string' && !refused.has('SOURCE_TABLE')
      ? sourceFrom(values as unknown as SourceValues, table, given.has('SOURCE_WATERMARK_COLUMN'))
      : null;
  return {
    source: source && { label, source },
    shown: FIELDS.flatMap((field) => {
      const one = given.get(SOURCE_FIELDS[field]);
      return one ? [showSetting(`${at}.${field}`, SOURCE_FIELDS[field], one)] : [];
    }),
  };
}

/** The fields of an entry that are set; unknown ones are refused with the nearest name. */
function fieldsOf(
  entry: Readonly<Record<string, unknown>>,
  at: string,
  path: string,
  problems: Problems,
): ReadonlyMap<SettingName, Given> {
  const origin: Origin = `file ${path}`;
  const given = new Map<SettingName, Given>();
  for (const [key, value] of Object.entries(entry)) {
    const label = `${at}.${key} (${path})`;
    const field = FIELDS.find((known) => known === key);
    if (field === undefined) {
      const nearest = nearestName(key, FIELDS);
      const advice = nearest === null ? `a source has ${FIELDS.join(', ')}` : `did you mean ${nearest}?`;
      problems.add(label, `unknown field; ${advice}`);
      continue;
    }
    const name = SOURCE_FIELDS[field];
    const raw = yamlText(value, settingOf(name), label, problems);
    if (raw !== '') given.set(name, { raw, origin, label });
  }
  return given;
}

function sourceFrom(values: SourceValues, table: string, watermarkGiven: boolean): SourceConfig {
  const consumes = values.SOURCE_MODE === 'consume';
  return {
    name: values.SOURCE_NAME ?? table,
    table,
    watermarkColumn: consumes && !watermarkGiven ? EVENT_WATERMARK_COLUMN : values.SOURCE_WATERMARK_COLUMN,
    columns: values.SOURCE_COLUMNS?.map(unquotedName) ?? null,
    mode: values.SOURCE_MODE,
    event: consumes ? buildEvent(values) : null,
    topic: values.KAFKA_TOPIC,
    topicColumn: values.KAFKA_TOPIC_COLUMN,
    keyColumn: values.KAFKA_KEY_COLUMN ?? (consumes ? EVENT_KEY_COLUMN : null),
    lanes: values.LANES,
    startFrom: values.START_FROM,
    gapMode: values.SOURCE_GAP_MODE,
    gapGraceMs: values.SOURCE_GAP_GRACE,
  };
}
