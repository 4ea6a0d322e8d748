/**
 * Rank 1: one table of settings (setting.ts, settings*.ts) that parses, validates, freezes, and prints help and documents.
 * Places in order of precedence: command line, environment, .env file, YAML file, default. Everything wrong is refused in
 * one message. Durations are seconds where users write them and whole milliseconds (`..Ms`) in `Config`.
 * Secrets come from a setting or from the file named by `<NAME>_FILE`; they appear in `Config` and nowhere else.
 */
export type { Need } from './check-contradictions.ts';
export type {
  Config,
  DatabaseConfig,
  DeliveryMode,
  EventConfig,
  KafkaConfig,
  OauthTokenConfig,
  RowFaultPolicy,
  SaslConfig,
  SenderConfig,
  SourceConfig,
  SourceMode,
  SslConfig,
  TablesConfig,
  WriterConfig,
} from './config.ts';
export { describeConfig } from './describe-config.ts';
export { envExample, settingsHelp, settingsTable } from './document-settings.ts';
export { type FreshSsl, freshSecret, freshSsl } from './fresh-text.ts';
export type { Origin } from './given.ts';
export { type LoadedConfig, type LoadOptions, loadConfig } from './load-config.ts';
export { maskUrl } from './mask-value.ts';
export type { Overrides } from './read-environment.ts';
export type { ShownSetting } from './resolve-values.ts';
export { ENV_PREFIX } from './setting.ts';
export type { SettingName } from './settings.ts';
