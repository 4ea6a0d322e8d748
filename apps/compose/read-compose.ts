/** docker-compose.yml as the tests look at it: services by name, and which of them a choice of profiles starts. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly networks?: { readonly default: { readonly aliases: readonly string[] } };
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required?: boolean }>>;
  readonly deploy?: { readonly replicas: number };
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export function readCompose(path: string): ComposeFile {
  // The file is ours, and the tests assert about each field that they use.
  return parse(readFileSync(path, 'utf8'), { merge: true }) as ComposeFile;
}

/**
 * Names of the services that start with the given profiles, sorted. As in Docker Compose, which splits the unset variable
 * COMPOSE_PROFILES into one empty name, the empty profile is active exactly when no other is asked for
 * (compose-go, cli/options.go, WithDefaultProfiles).
 */
export function startedServices(file: ComposeFile, profiles: readonly string[]): readonly string[] {
  const active = profiles.length === 0 ? [''] : profiles;
  return Object.entries(file.services)
    .filter(([, { profiles: own = [] }]) => own.length === 0 || own.some((profile) => active.includes(profile)))
    .map(([name]) => name)
    .sort();
}
