/** A Dockerfile cut into stages and instructions, and what a .dockerignore lets into the build context. */
export interface Instruction {
  readonly name: string;
  /** As written, on one line, without flags. */
  readonly text: string;
  /** `--from=build` as `from`: `build`. */
  readonly flags: Readonly<Record<string, string>>;
}

export interface Stage {
  readonly base: string;
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

/** Variables of ARG lines before the first FROM are filled in where FROM uses them. */
export function readDockerfile(content: string): readonly Stage[] {
  const stages: { base: string; name: string | null; instructions: Instruction[] }[] = [];
  const variables = new Map<string, string>();
  for (const instruction of instructionsOf(content)) {
    const stage = stages.at(-1);
    if (instruction.name === 'FROM') {
      const [base = '', , name = null] = instruction.text.split(/\s+/);
      stages.push({
        base: base.replace(/\$\{(\w+)\}/g, (_, variable) => variables.get(variable) ?? ''),
        name,
        instructions: [],
      });
    } else if (stage === undefined) {
      const [variable = '', value = ''] = instruction.text.split('=');
      variables.set(variable, value);
    } else {
      stage.instructions.push(instruction);
    }
  }
  return stages;
}

function instructionsOf(content: string): readonly Instruction[] {
  const lines = content
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  return lines.map((line) => {
    const [name = '', ...words] = line.trim().split(/\s+/);
    const flagCount = words.findIndex((word) => !word.startsWith('--'));
    const flags = words.slice(0, flagCount).map((word) => word.slice(2).split(/=(.*)/s).slice(0, 2));
    return { name: name.toUpperCase(), text: words.slice(flagCount).join(' '), flags: Object.fromEntries(flags) };
  });
}

/** The words of an instruction in exec form, or null in shell form. */
export function execForm(text: string): readonly string[] | null {
  return text.startsWith('[') ? (JSON.parse(text) as string[]) : null;
}

/** Whether a file gets into the build context: the last pattern that fits it or a folder above it decides. */
export function isInContext(dockerignore: string, path: string): boolean {
  const parts = path.split('/');
  const self = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  let included = true;
  for (const line of dockerignore.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const negated = line.startsWith('!');
    const pattern = negated ? line.slice(1) : line;
    if (self.some((one) => globExpression(pattern).test(one))) included = negated;
  }
  return included;
}

/** Docker's patterns: `*` stays within a name and takes a leading dot too, `**` goes through folders. */
function globExpression(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('**/', '<any folders>')
    .replaceAll('*', '[^/]*')
    .replaceAll('<any folders>', '(.*/)?');
  return new RegExp(`^${source}$`);
}
