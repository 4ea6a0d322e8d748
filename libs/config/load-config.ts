/** Reads, parses, checks and freezes the configuration. The only reader of the process environment for settings. */
import { buildConfig } from './build-config.ts';
import { buildRedisSsl, checkRedis } from './build-redis.ts';
import { buildSasl, buildSsl } from './build-security.ts';
import { buildSources } from './build-sources.ts';
import { checkContradictions, checkRequired, checkSources, type Need, TABLE_SETTINGS } from './check-contradictions.ts';
import { collectLayer, type Entry } from './collect-layer.ts';
import type { Config } from './config.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Layer, Origin } from './given.ts';
import { Problems } from './problems.ts';
import {
  type Environment,
  envFileEntries,
  environmentEntries,
  type Overrides,
  optionName,
  overrideEntries,
} from './read-environment.ts';
import { readYamlFile, type YamlFile } from './read-yaml-file.ts';
import { resolveValues, type ShownSetting, showSetting } from './resolve-values.ts';
import { ENV_PREFIX } from './setting.ts';
import { envName, SETTING_NAMES, type SettingName, settingOf } from './settings.ts';

export interface LoadOptions {
  /** Default: the process environment. */
  readonly env?: Environment;
  /** A .env file, read when it exists; the environment overrides it. Default: none is read. */
  readonly envFile?: string | null;
  /** Path of the YAML file; overrides the setting CONFIG. */
  readonly configPath?: string | null;
  /** Values of command-line options by setting name; they override everything. */
  readonly overrides?: Overrides;
  /** A list of sources, with the fields of the YAML file's; instead of that file's. */
  readonly sources?: readonly unknown[];
  /** Default: the database and the sources. */
  readonly needs?: readonly Need[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting came from. */
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** What is allowed but should be known, one sentence each; nothing secret. */
  readonly warnings: readonly string[];
  /** The settings as `describeConfig` gives them. */
  readonly shown: readonly ShownSetting[];
}

/** What has no meaning for a file. */
const SERVER_ONLY = ['DB_HOST', 'DB_NAME', 'REDIS_URL'] as const satisfies readonly SettingName[];

const NO_FILE: YamlFile = { entries: [], sources: null, refused: false };

interface Places {
  readonly layers: readonly Layer[];
  readonly file: YamlFile;
  readonly path: string;
}

/**
 * The configuration of command line, environment, .env file and YAML file, in this order of precedence.
 * Throws RelayError CONFIG_INVALID with everything that is wrong, one line a problem, without secrets.
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const problems = new Problems();
  const warnings: string[] = [];
  const { layers, file, path } = readPlaces(options, problems);
  const listed = options.sources ?? file.sources;
  const resolved = resolveValues(layers, problems);
  const isListed = listed !== null;
  const built = buildSources(resolved, listed, options.sources === undefined ? path : 'options', problems);
  if (!file.refused) checkRequired(options.needs ?? ['database', 'sources'], resolved, isListed, problems);
  checkContradictions(resolved, problems);
  checkRedis(resolved, problems);
  checkSources(built.sources, resolved, isListed, problems);
  const parts = {
    dbPasswordFile: resolved.given.get('DB_PASSWORD')?.file ?? null,
    dbSsl: buildSsl('DB', resolved, problems, warnings),
    kafkaSsl: buildSsl('KAFKA', resolved, problems, warnings),
    redisSsl: buildRedisSsl(resolved, problems, warnings),
    sasl: buildSasl(resolved, problems, warnings),
    sources: built.sources.map(({ source }) => source),
  };
  problems.refuse();
  const config = buildConfig(resolved.values, parts);
  if (config.deliveryMode === 'at-least-once') {
    warnings.push(
      `${envName('KAFKA_ACKS')} is not all, or ${envName('KAFKA_ENABLE_IDEMPOTENCE')} is false: delivery is at-least-once, with duplicates after failures`,
    );
  }
  for (const name of SETTING_NAMES.filter((one) => settingOf(one).type === 'secret text')) {
    const given = resolved.given.get(name);
    if (given?.raw === null || given === undefined || given.raw === given.raw.trim()) continue;
    warnings.push(
      `${given.label}: begins or ends with a space or a line break, which counts; remove it if it is no part`,
    );
  }
  const dotted = config.sqlite === null ? TABLE_SETTINGS.filter((name) => resolved.values[name].includes('.')) : [];
  if (dotted.length > 0) {
    const names = dotted.map(envName).join(', ');
    warnings.push(`${names}: a dot is part of the table's name, and parts no database from it`);
  }
  if (config.sqlite !== null) {
    const unused = SERVER_ONLY.filter((name) => resolved.given.has(name)).map(envName);
    if (unused.length > 0) warnings.push(`${envName('DB')} is an SQLite file: ${unused.join(', ')} is not used`);
  }
  const origins = Object.fromEntries(
    SETTING_NAMES.map((name) => [name, resolved.given.get(name)?.origin ?? 'default']),
  ) as Record<SettingName, Origin>;
  const settings = SETTING_NAMES.map((name) => {
    const one = showSetting(envName(name), name, resolved.given.get(name));
    // Weaker acks switch the default off.
    return name === 'KAFKA_ENABLE_IDEMPOTENCE' ? { ...one, value: String(config.kafka.idempotence) } : one;
  });
  return deepFreeze({ config, origins, warnings, shown: [...settings, ...built.shown] });
}

function readPlaces(options: LoadOptions, problems: Problems): Places {
  const labelOf = (short: string) => `${ENV_PREFIX}${short}`;
  const collect = (origin: Origin, entries: readonly Entry[]) =>
    collectLayer({ origin, entries, excluded: [], labelOf }, problems);
  const envFile = options.envFile ?? null;
  const layers = [
    collectLayer(
      {
        origin: 'command line',
        entries: overrideEntries(options.overrides ?? {}),
        excluded: [],
        labelOf: optionName,
      },
      problems,
    ),
    collect('environment', environmentEntries(options.env ?? process.env)),
    envFile === null ? new Map() : collect(`file ${envFile}`, envFileEntries(envFile, problems)),
  ];
  const named = layers.find((layer) => layer.has('CONFIG'))?.get('CONFIG')?.raw;
  const path = options.configPath ?? named ?? null;
  if (path === null) return { layers, file: NO_FILE, path: '' };
  const file = readYamlFile(path, problems);
  const place = {
    origin: `file ${path}`,
    entries: file.entries,
    excluded: ['CONFIG'],
    labelOf: (short: string) => short.toLowerCase(),
  } as const;
  return { layers: [...layers, collectLayer(place, problems)], file, path };
}
