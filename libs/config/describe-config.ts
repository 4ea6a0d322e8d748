/** The effective settings for the `config` command. */
import type { LoadedConfig } from './load-config.ts';
import type { ShownSetting } from './resolve-values.ts';

/** Every setting in the table's order, then the entries of the file's `sources`; secrets are masked. */
export function describeConfig(loaded: LoadedConfig): readonly ShownSetting[] {
  return loaded.shown;
}
