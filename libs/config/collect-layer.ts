/** Takes the settings out of one place: known names, secrets from their files, unknown names refused with the nearest one. */
import type { Given, Layer, Origin } from './given.ts';
import { nearestName } from './nearest-name.ts';
import type { Problems } from './problems.ts';
import { readSecretFile } from './read-secret-file.ts';
import { isSettingName, SETTING_NAMES, type SettingName, settingOf } from './settings.ts';

const FILE_SUFFIX = '_FILE';

/** One name and value of a place. */
export interface Entry {
  /** Name as in the table, perhaps with _FILE behind it. */
  readonly short: string;
  readonly label: string;
  /** Null when it was refused already. */
  readonly raw: string | null;
  /** Why it is no setting of ours, and what to write instead. */
  readonly refusal?: string;
}

export interface Place {
  readonly origin: Origin;
  readonly entries: readonly Entry[];
  /** Names of the table that this place may not hold. */
  readonly excluded: readonly SettingName[];
  /** A name of the table as one writes it in this place. */
  readonly labelOf: (short: string) => string;
}

/** An empty value is an unset one; a value beside its _FILE is refused. */
export function collectLayer(place: Place, problems: Problems): Layer {
  const layer = new Map<SettingName, Given>();
  const allowed = SETTING_NAMES.filter((name) => !place.excluded.includes(name));
  for (const { short, label, raw, refusal } of place.entries) {
    if (refusal !== undefined) {
      problems.add(label, refusal);
      continue;
    }
    const direct = isSettingName(short) && allowed.includes(short) ? short : null;
    const base = direct ?? secretOf(short);
    if (base === null) {
      problems.add(label, unknownHint(short, allowed, place.labelOf));
      continue;
    }
    if (raw === '') continue;
    const other = layer.get(base);
    if (other !== undefined) {
      problems.add(label, `${other.label} is set too; remove one of the two`);
      continue;
    }
    if (direct !== null) {
      layer.set(base, { raw, origin: place.origin, label });
      continue;
    }
    const file = raw === null ? {} : { file: raw };
    layer.set(base, { raw: secretText(raw, label, problems), origin: 'secret file', label, ...file });
  }
  return layer;
}

function secretText(path: string | null, label: string, problems: Problems): string | null {
  const secret = path === null ? { problem: 'give the path of a file, as text' } : readSecretFile(path);
  if ('text' in secret) return secret.text;
  problems.add(label, secret.problem);
  return null;
}

/** The secret whose file the name gives, or null when it is no such name. */
function secretOf(short: string): SettingName | null {
  if (!short.endsWith(FILE_SUFFIX)) return null;
  const base = short.slice(0, -FILE_SUFFIX.length);
  return isSettingName(base) && settingOf(base).secret ? base : null;
}

function unknownHint(short: string, allowed: readonly SettingName[], labelOf: Place['labelOf']): string {
  const base = short.endsWith(FILE_SUFFIX) ? short.slice(0, -FILE_SUFFIX.length) : '';
  if (isSettingName(base)) return `only a secret can come from a file; set ${labelOf(base)}`;
  const known = allowed.flatMap((name) => (settingOf(name).secret ? [name, `${name}${FILE_SUFFIX}`] : [name]));
  const nearest = nearestName(short, known);
  return nearest === null
    ? 'unknown setting; remove it, or see the list of settings'
    : `unknown setting; did you mean ${labelOf(nearest)}?`;
}
