/** The table of settings, whole, in the order of the documents. Everything else in this folder walks it. */
import { ENV_PREFIX, type Setting } from './setting.ts';
import { DATABASE, TABLES } from './settings-database.ts';
import { KAFKA, KAFKA_SECURITY } from './settings-kafka.ts';
import { REDIS, SENDER, SERVICE, WRITER } from './settings-relay.ts';
import { SOURCE } from './settings-source.ts';

export const SETTINGS = {
  ...DATABASE,
  ...SOURCE,
  ...KAFKA,
  ...KAFKA_SECURITY,
  ...WRITER,
  ...SENDER,
  ...REDIS,
  ...TABLES,
  ...SERVICE,
};

/** Name of a setting without the prefix. */
export type SettingName = keyof typeof SETTINGS;

type ValueOf<S> = S extends Setting<infer T, infer D> ? (D extends string ? T : T | null) : never;

/** Every setting's value after parsing; null where it is unset and has no default. */
export type Values = { readonly [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

export const GROUPS: readonly { readonly title: string; readonly names: readonly SettingName[] }[] = [
  { title: 'Database', names: namesOf(DATABASE) },
  { title: 'Source', names: namesOf(SOURCE) },
  { title: 'Kafka', names: namesOf(KAFKA) },
  { title: 'Kafka encryption and login', names: namesOf(KAFKA_SECURITY) },
  { title: 'Writer', names: namesOf(WRITER) },
  { title: 'Sender', names: namesOf(SENDER) },
  { title: 'Redis', names: namesOf(REDIS) },
  { title: 'Tables', names: namesOf(TABLES) },
  { title: 'Process', names: namesOf(SERVICE) },
];

function namesOf<N extends SettingName>(rows: Readonly<Record<N, unknown>>): readonly N[] {
  return Object.keys(rows) as N[];
}

/** The row of a setting, with its type forgotten. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

export function envName(name: SettingName): string {
  return `${ENV_PREFIX}${name}`;
}

export const REQUIRED = '(required)';
export const UNSET = '(none)';

/** The default as the documents and `config` show it. */
export function shownDefault(name: SettingName): string {
  const row = settingOf(name);
  return row.default ?? row.defaultText ?? (row.required ? REQUIRED : UNSET);
}
