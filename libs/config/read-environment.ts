/** The settings of the environment, of a .env file and of the command line, as entries with names. */
import { existsSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Entry } from './collect-layer.ts';
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

/** Variables with our prefix. */
export function environmentEntries(env: Environment): readonly Entry[] {
  return Object.entries(env).flatMap(([label, raw]): readonly Entry[] => {
    if (!label.startsWith(ENV_PREFIX) || raw === undefined) return [];
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
