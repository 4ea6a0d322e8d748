/** The server errors that are fatal, and the settings that every session of ours has, as the code has them. */
import { FATAL_ERRORS, type FatalError, type SessionSetting, sessionSettings } from '#database';

/** As in the defaults of the settings. */
const LIMITS = { readTimeoutMs: 30_000 };
const ENGINES = { mariadb: 'MariaDB', mysql: 'MySQL' } as const;

export function fatalErrorsTable(): string {
  const all = new Map<number, FatalError>(
    Object.values(FATAL_ERRORS).flatMap((list) => list.map((fatal) => [fatal.errno, fatal])),
  );
  const isEverywhere = ({ errno }: FatalError) =>
    Object.values(FATAL_ERRORS).every((list) => list.some((one) => one.errno === errno));
  const rows = [...all.values()]
    .sort((a, b) => a.errno - b.errno)
    .map(
      (fatal) =>
        `| ${fatal.errno} \`${fatal.name}\` | ${isEverywhere(fatal) ? 'all' : 'MariaDB'} | ${fatal.code} | ${fatal.reason} |`,
    );
  return ['| Error | Engines | Code | Why waiting does not mend it |', '|---|---|---|---|', ...rows].join('\n');
}

export function sessionSettingsTable(): string {
  const byEngine = Object.keys(ENGINES).map((kind) => sessionSettings(kind as keyof typeof ENGINES, LIMITS));
  const [mariadb = [], mysql = []] = byEngine;
  const names = [...new Set([...mariadb, ...mysql].map(({ name }) => name))];
  const find = (list: readonly SessionSetting[], name: string) => list.find((setting) => setting.name === name);
  const shown = (setting: SessionSetting | undefined) => (setting === undefined ? '' : `\`${setting.value}\``);
  const rows = names.map((name) => {
    const [one, other] = [find(mariadb, name), find(mysql, name)];
    return `| \`${name}\` | ${shown(one)} | ${shown(other)} | ${(one ?? other)?.why} |`;
  });
  return ['| Setting | MariaDB | MySQL | Why |', '|---|---|---|---|', ...rows].join('\n');
}
