/**
 * The YAML file: the settings in lower case without the prefix (`db_host: ..`), flat, and `sources`, a list of entries.
 * A parse error is told by place and code only, because the parser's own text quotes lines, which hold secrets.
 */
import { parseDocument } from 'yaml';
import type { Entry } from './collect-layer.ts';
import type { Problems } from './problems.ts';
import { readSmallFile } from './read-secret-file.ts';
import { ENV_PREFIX, type FileType, type Setting } from './setting.ts';
import { isSettingName, settingOf } from './settings.ts';

const SOURCES_KEY = 'sources';

export interface YamlFile {
  readonly entries: readonly Entry[];
  /** The list as written, or null when the file has none. */
  readonly sources: readonly unknown[] | null;
  /** True when the file was refused whole: what is missing may be in it. */
  readonly refused: boolean;
}

const REFUSED: YamlFile = { entries: [], sources: null, refused: true };

export function readYamlFile(path: string, problems: Problems): YamlFile {
  const file = readSmallFile(path);
  if ('problem' in file) {
    problems.add(path, file.problem);
    return REFUSED;
  }
  const content = parseYaml(file.text, path, problems);
  if (content === undefined) return REFUSED;
  if (content === null) return { entries: [], sources: null, refused: false };
  if (!isMap(content)) {
    problems.add(path, 'the file is not a list of settings; write one `name: value` a line');
    return REFUSED;
  }
  const entries: Entry[] = [];
  for (const [key, value] of Object.entries(content)) {
    if (key === SOURCES_KEY) continue;
    const entry = yamlEntry(key, value, `${key} (${path})`, problems);
    if (entry !== null) entries.push(entry);
  }
  return { entries, sources: sourcesOf(content, path, problems), refused: false };
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The document's content: null when it is empty, undefined when it was refused. */
function parseYaml(text: string, path: string, problems: Problems): unknown {
  const document = parseDocument(text, { intAsBigInt: true, prettyErrors: true, logLevel: 'silent' });
  const [error] = document.errors;
  if (error !== undefined) {
    const at = error.linePos?.[0];
    const place = at === undefined ? '' : ` at line ${at.line}, column ${at.col}`;
    problems.add(path, `not valid YAML${place} (${error.code}); correct it`);
    return undefined;
  }
  try {
    return document.toJS();
  } catch {
    problems.add(path, 'not valid YAML (an alias cannot be resolved); correct it');
    return undefined;
  }
}

function sourcesOf(
  content: Readonly<Record<string, unknown>>,
  path: string,
  problems: Problems,
): readonly unknown[] | null {
  const sources = content[SOURCES_KEY];
  if (sources === undefined || sources === null) return null;
  if (Array.isArray(sources) && sources.length > 0) return sources;
  problems.add(`${SOURCES_KEY} (${path})`, 'not a list of sources; give one `- table: ..` or more');
  return [];
}

/** A key and its value as text; null when the key is not written as it should be. */
function yamlEntry(key: string, value: unknown, label: string, problems: Problems): Entry | null {
  const short = key.toUpperCase().replace(ENV_PREFIX, '');
  if (key !== short.toLowerCase()) {
    problems.add(label, `unknown setting; in this file names are written like ${short.toLowerCase()}`);
    return null;
  }
  // A secret's file (`.._file`) and an unknown name, which is refused later, are taken as text.
  const row = isSettingName(short) ? settingOf(short) : null;
  return { short, label, raw: yamlText(value, row, label, problems) };
}

/** The value as one would write it in the environment, empty when unset, null (and a problem) when of the wrong type. */
export function yamlText(
  value: unknown,
  row: Pick<Setting, 'fileTypes' | 'type'> | null,
  label: string,
  problems: Problems,
): string | null {
  if (value === null || value === undefined) return '';
  const raw = scalarText(value, row?.fileTypes ?? ['text']);
  if (raw !== null || row === null) return raw;
  const takesTextOnly = row.fileTypes.join() === 'text';
  // YAML takes 0123 and true for something else than text, which surprises most in passwords.
  const quotes = takesTextOnly && typeof value !== 'object' ? ', in quotes' : '';
  problems.add(label, `of the wrong type; give ${row.type}${quotes}`);
  return null;
}

function scalarText(value: unknown, types: readonly FileType[]): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return types.includes('number') ? String(value) : null;
  if (typeof value === 'boolean') return types.includes('boolean') ? String(value) : null;
  if (Array.isArray(value) && types.includes('list')) {
    return value.every((entry) => typeof entry === 'string') ? value.join(',') : null;
  }
  return null;
}
