/** Figures and tables as Markdown. */

export const integer = (value: number): string => (Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en'));
export const fixed = (value: number, digits: number): string => (Number.isNaN(value) ? '-' : value.toFixed(digits));
export const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
export const heading = (...cells: readonly string[]): string[] => [row(...cells), row(...cells.map(() => '---'))];
