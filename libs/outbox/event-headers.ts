/** Headers that an application wrote into columns of its outbox table, whatever the database. Pure. */

const TRACE_HEADERS: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

/** Lines `name=value` of Java properties; a backslash makes the next character plain. */
export function traceHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split(/[\r\n]+/)) {
    const at = line.search(/[=:]/);
    const name = line.slice(0, Math.max(at, 0)).trim();
    if (TRACE_HEADERS.has(name))
      headers[name] = line
        .slice(at + 1)
        .trim()
        .replaceAll(/\\(.)/g, '$1');
  }
  return headers;
}

/** What is no JSON object of texts goes out as it is, in one header: a row must not stop those behind it. */
export function ownHeaders(text: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value).filter(([, one]) => one !== null);
      return Object.fromEntries(
        entries.map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)]),
      );
    }
  } catch {
    // Told by the return below.
  }
  return { headers: text };
}
