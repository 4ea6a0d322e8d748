/** A value as somebody gave it, still text, with where it came from. */
import type { SettingName } from './settings.ts';

export type Origin = 'default' | 'environment' | 'command line' | 'secret file' | `file ${string}`;

export interface Given {
  /** Null when it was refused already: then it is not missing, and must not be complained about twice. */
  readonly raw: string | null;
  readonly origin: Origin;
  /** The setting as the user wrote it, for messages. */
  readonly label: string;
  /** The file that a secret came from. */
  readonly file?: string;
}

/** What one place (environment, file, ..) gives. */
export type Layer = ReadonlyMap<SettingName, Given>;
