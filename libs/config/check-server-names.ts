/** Tables and columns of sources on a server: only names that a server can have, where an SQLite file may have any. */
import { serverNameFault, unquotedName } from '#runtime';
import { headerColumn, roleColumn } from './build-event.ts';
import type { Given } from './given.ts';
import { quoteRefused } from './mask-value.ts';
import type { Problems } from './problems.ts';
import { splitList } from './setting.ts';
import { type SettingName, settingOf } from './settings.ts';

const ONE_NAME = ['SOURCE_TABLE', 'SOURCE_WATERMARK_COLUMN', 'KAFKA_TOPIC_COLUMN', 'KAFKA_KEY_COLUMN'] as const;
/** The name in each entry of a list. */
const LISTS = {
  SOURCE_COLUMNS: unquotedName,
  SOURCE_EVENT_COLUMNS: (entry: string) => roleColumn(entry)[1],
  SOURCE_EVENT_HEADERS: (entry: string) => headerColumn(entry).column,
} as const satisfies Partial<Record<SettingName, (entry: string) => string>>;

/** Answers which are refused. What was refused already is not told twice. */
export function checkServerNames(given: ReadonlyMap<SettingName, Given>, problems: Problems): ReadonlySet<SettingName> {
  const refused = new Set<SettingName>();
  const refuse = (name: SettingName, namesIn: (raw: string) => readonly string[]) => {
    const one = given.get(name);
    if (one === undefined || one.raw === null || !settingOf(name).schema.safeParse(one.raw).success) return;
    const hint = namesIn(one.raw)
      .map(serverNameFault)
      .find((fault) => fault !== null);
    if (hint === undefined) return;
    refused.add(name);
    problems.add(one.label, `${quoteRefused(one.raw, settingOf(name).mask)} is not allowed; ${hint}`);
  };
  for (const name of ONE_NAME) refuse(name, (raw) => [raw]);
  for (const name of Object.keys(LISTS) as (keyof typeof LISTS)[]) {
    refuse(name, (raw) => splitList(raw).map(LISTS[name]));
  }
  return refused;
}
