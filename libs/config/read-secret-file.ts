/** Reads small files that a setting names: secrets and PEM. Never quotes the path's text, which may be a secret put in the wrong place. */
import { readFileSync, statSync } from 'node:fs';

const FILE_BYTES_MAX = 1024 * 1024;

export type FileText = { readonly text: string } | { readonly problem: string };

/** The text of a file of at most 1 MiB. Never throws. */
export function readSmallFile(path: string): FileText {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return { problem: 'the file is a directory; give the path of a file' };
    if (stat.size > FILE_BYTES_MAX) return { problem: 'the file is larger than 1 MiB' };
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { problem: `the file cannot be read (${codeOf(error)}); give the path of a readable file` };
  }
}

/** A secret without the one newline that editors leave at the end. */
export function readSecretFile(path: string): FileText {
  const file = readSmallFile(path);
  if ('problem' in file) return file;
  const text = file.text.replace(/\r?\n$/, '');
  return text === '' ? { problem: 'the file is empty' } : { text };
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}
