/** What one setting is: its type, default, bounds, text, and how its value may be shown. The kinds build the rows of the table. */
import { z } from 'zod';
import { parseRedisAddress, REDIS_ADDRESS_TYPE, serverNameFault } from '#runtime';
import { parseHost } from './host-setting.ts';
import { bytesInstead, secondsInstead } from './number-unit.ts';
import { type Command, splitCommand } from './split-command.ts';

export const ENV_PREFIX = 'KAFKA_ROW_SENDER_';

/**
 * How a value is shown by `config`, in warnings and in problems: `all` hides it, `url` and `redis` hide credentials and query,
 * `command` hides the arguments, `pem` hides pasted key material but shows a path.
 */
export type Mask = 'none' | 'all' | 'url' | 'redis' | 'command' | 'pem';

/** Which YAML scalars (or lists of texts) a setting takes; a number is no text, because `0123` would lose its zero. */
export type FileType = 'text' | 'number' | 'boolean' | 'list';

/** One row of the table. `D` is the default as written in the environment, or null when there is none. */
export interface Setting<T = unknown, D extends string | null = string | null> {
  /** Type and bounds in words, for the documents and for problems: "give <type>". */
  readonly type: string;
  readonly schema: z.ZodType<T, string>;
  readonly default: D;
  /** What the documents say in the default's place, where the default depends on something. */
  readonly defaultText: string | null;
  /** True when the value may also come from the file named by `<NAME>_FILE`. */
  readonly secret: boolean;
  readonly mask: Mask;
  readonly fileTypes: readonly FileType[];
  /** True when every command that needs the database needs this setting. */
  readonly required: boolean;
  readonly text: string;
}

interface Common<D extends string | null> {
  readonly default: D;
  readonly text: string;
  readonly defaultText?: string;
  readonly required?: boolean;
}

interface Rest {
  readonly fileTypes?: readonly FileType[];
  readonly secret?: boolean;
  readonly mask?: Mask;
}

/** The value, or the hint of what to give instead when the text is not of its type. Never throws. */
type Parse<T> = (raw: string) => { readonly value: T } | { readonly hint: string };

function setting<T, D extends string | null>(
  type: string,
  parse: Parse<T>,
  common: Common<D>,
  rest: Rest = {},
): Setting<T, D> {
  const schema = z.string().transform((raw, context): T => {
    const parsed = parse(raw);
    if ('value' in parsed) return parsed.value;
    context.addIssue(parsed.hint);
    return z.NEVER;
  });
  return {
    type,
    schema,
    default: common.default,
    defaultText: common.defaultText ?? null,
    secret: rest.secret ?? false,
    mask: rest.mask ?? (rest.secret ? 'all' : 'none'),
    fileTypes: rest.fileTypes ?? ['text'],
    required: common.required ?? false,
    text: common.text,
  };
}

/** Text that a pattern allows. */
export function text<D extends string | null>(
  options: Common<D> & { readonly type: string; readonly pattern: RegExp },
): Setting<string, D> {
  const parse: Parse<string> = (raw) => (options.pattern.test(raw) ? { value: raw } : { hint: `give ${options.type}` });
  return setting(options.type, parse, options);
}

/** Text without a line break or other control character, such as a user name. */
export function plainText<D extends string | null>(options: Common<D>): Setting<string, D> {
  return text({ ...options, type: 'text on one line', pattern: /^\P{Cc}+$/u });
}

/** A host's name or address. */
export function host<D extends string | null>(
  options: Common<D> & { readonly portSetting: string },
): Setting<string, D> {
  return setting('a host name or an address', (raw) => parseHost(raw, options.portSetting), options);
}

export function secretText<D extends string | null>(options: Common<D>): Setting<string, D> {
  return setting('secret text', (raw) => ({ value: raw }), options, { secret: true });
}

/** A URL with one of the given protocols; never shown with its credentials or its query. */
export function url<D extends string | null>(
  options: Common<D> & { readonly protocols: readonly string[]; readonly secret: boolean },
): Setting<string, D> {
  const type = `a URL that begins with ${options.protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  const parse: Parse<string> = (raw) =>
    URL.canParse(raw) && options.protocols.includes(new URL(raw).protocol) && new URL(raw).hostname !== ''
      ? { value: raw.trim() }
      : { hint: `give ${type}` };
  return setting(type, parse, options, { secret: options.secret, mask: 'url' });
}

/** An address of Redis; never shown with its user and password. */
export function redisAddress<D extends string | null>(options: Common<D>): Setting<string, D> {
  const parse: Parse<string> = (raw) => {
    const parsed = parseRedisAddress(raw);
    return 'problem' in parsed ? { hint: parsed.problem } : { value: raw.trim() };
  };
  return setting(REDIS_ADDRESS_TYPE, parse, options, { secret: true, mask: 'redis' });
}

/** A program with arguments. The arguments are not shown, since somebody will put a secret there. */
export function command<D extends string | null>(options: Common<D>): Setting<Command, D> {
  return setting('a command line', splitCommand, options, { mask: 'command' });
}

/** PEM text, or the path of a file with it. The file is read when the SSL options are built. */
export function pem<D extends string | null>(options: Common<D> & { readonly secret: boolean }): Setting<string, D> {
  const mask = options.secret ? 'all' : 'pem';
  return setting('a path, or PEM text', (raw) => ({ value: raw }), options, { secret: options.secret, mask });
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Whole numbers within bounds, both inclusive. */
export function integer<D extends string | null>(
  options: Common<D> & Bounds & { readonly unit?: string },
): Setting<number, D> {
  const unit = options.unit ? ` ${options.unit},` : '';
  const type = `an integer,${unit} ${options.min} to ${options.max}`;
  const parse: Parse<number> = (raw) => {
    const number = /^-?\d{1,15}$/.test(raw.trim()) ? Number(raw) : Number.NaN;
    const instead = options.unit === 'bytes' ? bytesInstead(raw) : '';
    return number >= options.min && number <= options.max ? { value: number } : { hint: `give ${type}${instead}` };
  };
  return setting(type, parse, options, { fileTypes: ['number', 'text'] });
}

const MS_PER_SECOND = 1000;

/** Seconds, decimals allowed, in the environment; milliseconds (whole) as a value. Bounds are in seconds, inclusive. */
export function seconds<D extends string | null>(options: Common<D> & Bounds): Setting<number, D> {
  const type = `seconds, ${options.min} to ${options.max}`;
  const parse: Parse<number> = (raw) => {
    const number = /^\d{1,9}(\.\d{1,9})?$/.test(raw.trim()) ? Number(raw) : Number.NaN;
    if (!(number >= options.min && number <= options.max)) return { hint: `give ${type}${secondsInstead(raw)}` };
    return { value: Math.round(number * MS_PER_SECOND) };
  };
  return setting(type, parse, options, { fileTypes: ['number', 'text'] });
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
};

export function boolean<D extends string | null>(options: Common<D>): Setting<boolean, D> {
  const parse: Parse<boolean> = (raw) => {
    const value = BOOLEANS[raw.trim().toLowerCase()];
    return value === undefined ? { hint: 'give true or false (or 1, 0, yes, no, on, off)' } : { value };
  };
  return setting('true or false', parse, options, { fileTypes: ['boolean', 'number', 'text'] });
}

/** One of a closed set of words. `refusals` says why a word that one might expect is not in it. */
export function choice<const C extends string, D extends C | null>(
  options: Common<D> & { readonly of: readonly C[]; readonly refusals?: Readonly<Record<string, string>> },
): Setting<C, D> {
  const type = options.of.join(', ').replace(/, ([^,]*)$/, ' or $1');
  const parse: Parse<C> = (raw) => {
    const found = options.of.find((word) => word.toLowerCase() === raw.trim().toLowerCase());
    if (found !== undefined) return { value: found };
    const why = Object.entries(options.refusals ?? {}).find(([word]) => word === raw.trim().toLowerCase())?.[1];
    return { hint: why ?? `give ${type}` };
  };
  return setting(type, parse, options, { fileTypes: ['text', 'number'] });
}

/** `earliest`, `latest`, or the first id to move. */
export function startPosition<D extends string | null>(options: Common<D>): Setting<'earliest' | 'latest' | bigint, D> {
  const type = 'earliest, latest or an id (a whole number)';
  const parse: Parse<'earliest' | 'latest' | bigint> = (raw) => {
    const word = raw.trim().toLowerCase();
    if (word === 'earliest' || word === 'latest') return { value: word };
    return /^\d{1,20}$/.test(word) ? { value: BigInt(word) } : { hint: `give ${type}` };
  };
  return setting(type, parse, options, { fileTypes: ['text', 'number'] });
}

/** The name of a database or table, as it is: quotes, spaces and dots belong to it. */
export function identifier<D extends string | null>(options: Common<D>): Setting<string, D> {
  const parse: Parse<string> = (raw) => {
    const hint = raw.includes('://') ? 'give the name alone, no URL' : serverNameFault(raw);
    return hint === null ? { value: raw } : { hint };
  };
  return setting('a name of 1 to 64 characters', parse, options);
}

/**
 * A table or column of the application: on an SQLite file any name on one line; on a server 64 characters at most, which
 * `check-server-names.ts` looks after, since only all settings together tell the database.
 */
export function nameOfSource<D extends string | null>(options: Common<D>): Setting<string, D> {
  const type = 'a name of 1 to 64 characters; on an SQLite file any name';
  return text({ ...options, type, pattern: /^\P{Cc}{1,1000}$/u });
}

/** An entry up to its comma. A name with a comma in it stands in backticks, as in SQL, perhaps with a role before it. */
const ENTRY = /\s*((?:[a-z]+=)?`(?:[^`]|``)+`[^,`]*|[^,]*)(?:,|$)/y;

/** The entries of a comma-separated list, without the spaces around them. */
export function splitList(raw: string): readonly string[] {
  const entries: string[] = [];
  ENTRY.lastIndex = 0;
  for (;;) {
    const [matched, entry] = ENTRY.exec(raw) ?? ['', raw.slice(ENTRY.lastIndex)];
    entries.push((entry as string).trim());
    if (!matched.endsWith(',')) return entries;
  }
}

interface ListOptions {
  readonly type: string;
  /** Of each entry. */
  readonly pattern: RegExp | ((entry: string) => string | null);
  readonly entriesMax: number;
}

/** A comma-separated list, each entry by a pattern or a function that says what to give instead, none twice. */
export function list<D extends string | null>(options: Common<D> & ListOptions): Setting<readonly string[], D> {
  const { pattern } = options;
  const faultOf = (entry: string) => {
    if (typeof pattern === 'function') return pattern(entry);
    return pattern.test(entry) ? null : `give ${options.type}`;
  };
  const parse: Parse<readonly string[]> = (raw) => {
    const entries = splitList(raw);
    if (entries.length > options.entriesMax) return { hint: `give at most ${options.entriesMax} entries` };
    const fault = entries.map(faultOf).find((hint) => hint !== null);
    if (fault !== undefined) return { hint: fault };
    const twice = entries.find((entry, index) => entries.indexOf(entry) !== index);
    return twice === undefined ? { value: entries } : { hint: `name ${twice} only once` };
  };
  return setting(options.type, parse, options, { fileTypes: ['list', 'text'] });
}
