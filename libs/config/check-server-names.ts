/** Tables and columns of sources on a server: only identifiers, where an SQLite file may have any name. */
import type { Given } from './given.ts';
import { quoteRefused } from './mask-value.ts';
import type { Problems } from './problems.ts';
import { identifierHint } from './setting.ts';
import { type SettingName, settingOf } from './settings.ts';

const ONE_NAME = ['SOURCE_TABLE', 'SOURCE_WATERMARK_COLUMN', 'KAFKA_TOPIC_COLUMN', 'KAFKA_KEY_COLUMN'] as const;
/** Of each entry of a list the column's part. */
const LISTS = {
  SOURCE_COLUMNS: /^[A-Za-z0-9_$]{1,64}$/,
  SOURCE_EVENT_COLUMNS: /=[A-Za-z0-9_$]{1,64}$/,
  SOURCE_EVENT_HEADERS: /^[A-Za-z0-9_$]{1,64}(?::[A-Za-z0-9_.-]{1,128})?$/,
} as const satisfies Partial<Record<SettingName, RegExp>>;

/** Answers which are refused. What was refused already is not told twice. */
export function checkServerNames(given: ReadonlyMap<SettingName, Given>, problems: Problems): ReadonlySet<SettingName> {
  const refused = new Set<SettingName>();
  const refuse = (name: SettingName, hintOf: (raw: string) => string | null) => {
    const one = given.get(name);
    if (one === undefined || one.raw === null || !settingOf(name).schema.safeParse(one.raw).success) return;
    const hint = hintOf(one.raw);
    if (hint === null) return;
    refused.add(name);
    problems.add(one.label, `${quoteRefused(one.raw, settingOf(name).mask)} is not allowed; ${hint}`);
  };
  for (const name of ONE_NAME) refuse(name, identifierHint);
  for (const name of Object.keys(LISTS) as (keyof typeof LISTS)[]) {
    refuse(name, (raw) => {
      const sound = raw.split(',').every((entry) => LISTS[name].test(entry.trim()));
      return sound ? null : `give ${settingOf(name).type}`;
    });
  }
  return refused;
}
