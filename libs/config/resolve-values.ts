/** Picks each setting's value from the first place that gives it, and parses it by its row of the table. */
import type { Given, Layer, Origin } from './given.ts';
import { maskValue, quoteRefused } from './mask-value.ts';
import type { Problems } from './problems.ts';
import { REQUIRED, SETTING_NAMES, type SettingName, settingOf, shownDefault, UNSET, type Values } from './settings.ts';

export interface Resolved {
  readonly values: Values;
  readonly given: ReadonlyMap<SettingName, Given>;
  /** Given, but refused: the value in `values` stands in for it, so checks that look at it mean nothing. */
  readonly invalid: ReadonlySet<SettingName>;
}

/** The first layer wins. An invalid value is replaced by the default, so that the rest can still be checked. */
export function resolveValues(layers: readonly Layer[], problems: Problems): Resolved {
  const given = new Map<SettingName, Given>();
  const invalid = new Set<SettingName>();
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const found = layers.find((layer) => layer.has(name))?.get(name);
    if (found !== undefined) given.set(name, found);
    const parsed = found === undefined ? REFUSED : parseGiven(name, found, problems);
    if (found !== undefined && parsed === REFUSED) invalid.add(name);
    values[name] = parsed === REFUSED ? defaultOf(name) : parsed;
  }
  // The keys are the table's and each value came out of its own schema, which is what Values says.
  return { values: values as Values, given, invalid };
}

/** What `parseGiven` returns in a refused value's place; no schema gives it. */
export const REFUSED = Symbol('refused');

/** The typed value, or REFUSED after a problem was added. */
export function parseGiven(name: SettingName, given: Given, problems: Problems): unknown {
  if (given.raw === null) return REFUSED;
  const row = settingOf(name);
  const parsed = row.schema.safeParse(given.raw);
  if (parsed.success) return parsed.data;
  const hint = parsed.error.issues[0]?.message ?? `give ${row.type}`;
  problems.add(given.label, `${quoteRefused(given.raw, row.mask)} is not allowed; ${hint}`);
  return REFUSED;
}

function defaultOf(name: SettingName): unknown {
  const row = settingOf(name);
  return row.default === null ? null : row.schema.parse(row.default);
}

/** A line of the `config` command. */
export interface ShownSetting {
  /** As in the environment, or `sources[0].table` for an entry of the file's list. */
  readonly name: string;
  /** As in the environment, with secrets masked. */
  readonly value: string;
  readonly origin: Origin;
}

export function showSetting(label: string, name: SettingName, given: Given | undefined): ShownSetting {
  if (given === undefined || given.raw === null) {
    return { name: label, value: shownUnset(name), origin: 'default' };
  }
  return { name: label, value: maskValue(given.raw, settingOf(name).mask), origin: given.origin };
}

/** A setting that a list of `sources` makes needless is not called required here: what is required was checked. */
function shownUnset(name: SettingName): string {
  const shown = shownDefault(name);
  return shown === REQUIRED ? UNSET : shown;
}
