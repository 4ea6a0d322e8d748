/**
 * A command line in a setting. A text that begins with `[` is a JSON list of program and arguments. In any other text spaces part the
 * words; `'..'` keeps what is between the quotes, `".."` too, where `\"` and `\\` stand for `"` and `\`; outside of quotes `\` keeps the
 * character behind it. Nothing is expanded, and no shell is asked.
 */

export type Command = readonly [string, ...string[]];

export type SplitCommand = { readonly value: Command } | { readonly hint: string };

function splitJson(raw: string): SplitCommand {
  const hint = { hint: 'give a JSON list of texts, such as ["get-token", "--now"]' };
  try {
    const words: unknown = JSON.parse(raw);
    const sound = Array.isArray(words) && words.every((word) => typeof word === 'string') && words[0]?.trim();
    return sound ? { value: words as [string, ...string[]] } : hint;
  } catch {
    return hint;
  }
}

/** One piece of a word: in single quotes, in double quotes, a character behind a backslash, or plain. */
const PIECE = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/suy;
const SPACE = /\s+/uy;

/** Never throws. */
export function splitCommand(raw: string): SplitCommand {
  const text = raw.trim();
  if (text.startsWith('[')) return splitJson(text);
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; ) {
    SPACE.lastIndex = at;
    const space = SPACE.exec(text)?.[0];
    if (space !== undefined) {
      if (word !== null) words.push(word);
      word = null;
      at += space.length;
      continue;
    }
    PIECE.lastIndex = at;
    const piece = PIECE.exec(text);
    if (piece === null) return { hint: 'close the quote, or put a backslash before it' };
    const [all, single, double, escaped, plain] = piece;
    word = (word ?? '') + (single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? '');
    at += all.length;
  }
  if (word !== null) words.push(word);
  const [program, ...rest] = words;
  return program === undefined || program === '' ? { hint: 'give a command line' } : { value: [program, ...rest] };
}
