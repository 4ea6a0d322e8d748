/** The settings of the environment, of a .env file and of the command line, as entries with names. */
import { existsSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Entry } from './collect-layer.ts';
import { editDistance } from './nearest-name.ts';
import type { Problems } from './problems.ts';
import { readSmallFile } from './read-secret-file.ts';
import { ENV_PREFIX } from './setting.ts';
import { isSettingName, type SettingName } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Kubernetes puts the address of a Service called kafka-row-sender into every pod of its namespace, under names with
 * our prefix. They are no settings of ours, and refusing them would keep such a pod from starting.
 */
const SERVICE_LINK = /^(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\//;

function isServiceLink(short: string, raw: string): boolean {
  if (isSettingName(short)) return false;
  return SERVICE_LINK.test(short) || (/(^|_)PORT$/.test(short) && SERVICE_LINK_VALUE.test(raw));
}

/** The beginnings of a name that may be our prefix: up to an underscore, two letters longer or shorter at most. */
const PREFIX_SLACK = 2;

/**
 * What stands behind the prefix in a name whose prefix is mistyped, in our letters, or null. One mistake is enough to know it by; with two
 * the rest must be a setting of ours, and letters be missing or too many: other programs have names of the same length.
 */
function mistypedPrefix(label: string): string | null {
  const upper = label.toUpperCase();
  for (let length = ENV_PREFIX.length - PREFIX_SLACK; length <= ENV_PREFIX.length + PREFIX_SLACK; length += 1) {
    if (upper[length - 1] !== '_' || upper.length === length) continue;
    const rest = upper.slice(length);
    const mistakes = editDistance(upper.slice(0, length), ENV_PREFIX);
    const isOurs = isSettingName(rest) || isSettingName(rest.replace(/_FILE$/, ''));
    if (mistakes <= 1 || (mistakes === 2 && length !== ENV_PREFIX.length && isOurs)) return rest;
  }
  return null;
}

/** Variables with our prefix, and those whose prefix is ours with a mistake in it, which are refused. */
export function environmentEntries(env: Environment): readonly Entry[] {
  return Object.entries(env).flatMap(([label, raw]): readonly Entry[] => {
    if (raw === undefined) return [];
    if (!label.startsWith(ENV_PREFIX)) {
      const meant = mistypedPrefix(label);
      if (meant === null || isServiceLink(meant, raw)) return [];
      return [{ short: label, label, raw, refusal: `unknown setting; did you mean ${ENV_PREFIX}${meant}?` }];
    }
    const short = label.slice(ENV_PREFIX.length);
    return isServiceLink(short, raw) ? [] : [{ short, label, raw }];
  });
}

/** Variables with our prefix in a .env file; a missing file is an empty one. */
export function envFileEntries(path: string, problems: Problems): readonly Entry[] {
  if (!existsSync(path)) return [];
  const file = readSmallFile(path);
  if ('problem' in file) {
    problems.add(path, file.problem);
    return [];
  }
  return environmentEntries(parseEnv(file.text)).map((entry) => ({
    ...entry,
    label: `${entry.label} (${path})`,
  }));
}

export type Overrides = Readonly<Partial<Record<SettingName, string>>>;

/** `WATERMARK_TABLE` is `--watermark-table` on the command line. */
export function optionName(short: string): string {
  return `--${short.toLowerCase().replaceAll('_', '-')}`;
}

export function overrideEntries(overrides: Overrides): readonly Entry[] {
  return Object.entries(overrides).map(([short, raw]) => ({ short, label: optionName(short), raw }));
}
