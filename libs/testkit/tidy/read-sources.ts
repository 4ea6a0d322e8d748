/** What the tidy test knows of each source file: its imports, its functions, its lines. Read with TypeScript's own parser. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

export interface SourceFunction {
  readonly line: number;
  readonly lines: number;
}

/** A call such as `connection.query(sql, values)`. */
export interface DriverCall {
  readonly name: string;
  readonly line: number;
  /** Values beside the text: a second argument, or a property of the first. */
  readonly hasValues: boolean;
}

export interface Source {
  /** Relative to the repository, such as `libs/outbox/lane.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly string[];
  readonly functions: readonly SourceFunction[];
  /** Calls of the names that database drivers give to running a statement. */
  readonly driverCalls: readonly DriverCall[];
}

const FUNCTIONS = new Set<SyntaxKind>([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);
const DRIVER_CALLS = new Set(['query', 'execute', 'raw']);
/** Callbacks of these only group: their length is that of the tests inside. */
const GROUPS = new Set(['describe', 'suite']);

/** Every TypeScript file of apps and libs. */
export function readSources(): readonly Source[] {
  const api = new API({ cwd: REPOSITORY });
  try {
    const snapshot = api.updateSnapshot({ openProject: join(REPOSITORY, 'tsconfig.json') });
    const project = snapshot.getProjects()[0];
    if (project === undefined) throw new Error('tsconfig.json could not be opened');
    return project.rootFiles.map((file) => {
      const parsed = project.program.getSourceFile(file);
      if (parsed === undefined) throw new Error(`${file} could not be parsed`);
      return describeSource(file, parsed);
    });
  } finally {
    api.close();
  }
}

function describeSource(file: string, parsed: SourceFile): Source {
  const text = readFileSync(file, 'utf8');
  const imports: string[] = [];
  const functions: SourceFunction[] = [];
  const driverCalls: DriverCall[] = [];
  const visit = (node: Node): void => {
    const specifier = importedBy(node);
    if (specifier !== null) imports.push(specifier);
    if (FUNCTIONS.has(node.kind) && !isGroup(node.parent)) functions.push(measure(node, parsed));
    const call = driverCall(node, parsed);
    if (call !== null) driverCalls.push(call);
    node.forEachChild(visit);
  };
  visit(parsed);
  const lines = text.trimEnd().split('\n').length;
  return { path: relative(REPOSITORY, file), text, lines, imports, functions, driverCalls };
}

function importedBy(node: Node): string | null {
  if (isImportDeclaration(node) || isExportDeclaration(node)) {
    const specifier = node.moduleSpecifier;
    return specifier !== undefined && isStringLiteral(specifier) ? specifier.text : null;
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const specifier = node.arguments[0];
    return specifier !== undefined && isStringLiteral(specifier) ? specifier.text : null;
  }
  return null;
}

function driverCall(node: Node, parsed: SourceFile): DriverCall | null {
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return null;
  const name = node.expression.name.text;
  if (!DRIVER_CALLS.has(name)) return null;
  const [first, second] = node.arguments;
  const { line } = parsed.getLineAndCharacterOfPosition(node.getStart(parsed));
  const inFirst = first !== undefined && isObjectLiteralExpression(first) && /\bvalues\b/.test(first.getText());
  const inSecond =
    second !== undefined && second.kind !== SyntaxKind.ArrowFunction && !/\bdone\b/.test(second.getText());
  return { name, line: line + 1, hasValues: inFirst || inSecond };
}

const isGroup = (node: Node | undefined): boolean =>
  node !== undefined && isCallExpression(node) && GROUPS.has(node.expression.getText());

function measure(node: Node, parsed: SourceFile): SourceFunction {
  const { line: first } = parsed.getLineAndCharacterOfPosition(node.getStart(parsed));
  const { line: last } = parsed.getLineAndCharacterOfPosition(node.end);
  return { line: first + 1, lines: last - first + 1 };
}

/** The file an import leads to, relative to the repository; null for packages and Node's own modules. */
export function resolveImport(from: string, specifier: string, importMap: ReadonlyMap<string, string>): string | null {
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  if (specifier.startsWith('#')) return importMap.get(specifier) ?? null;
  return null;
}

/** `#outbox` -> `libs/outbox/index.ts`, as package.json says. */
export function readImportMap(): ReadonlyMap<string, string> {
  const { imports } = readPackage();
  return new Map(Object.entries(imports).map(([name, { source }]) => [name, source.replace('./', '')]));
}

export function readPackage(): { imports: Record<string, { source: string }>; scripts: Record<string, string> } {
  return JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
}
