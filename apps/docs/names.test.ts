/** What the documents name is there: checks of doctor, metrics, events of the log, settings. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingsTable } from '#config';
import { metricsTable } from '#observability';
import { eventsTable } from './explain-events.ts';
import { checksTable } from './list-checks.ts';
import { stallsTable } from './list-stalls.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const textOf = (name: string): string => readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8');
const DOCUMENTS = ['guarantees', 'operations'];

/** Names between backticks that match, alone or at the begin of what stands there. */
const namesIn = (text: string, pattern: RegExp): readonly string[] => [
  ...new Set([...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => pattern.exec(code)?.[0] ?? [])),
];

/** Words in capitals that are somebody else's. */
const OTHERS = new Set(['GET_LOCK', 'AUTO_ID_CACHE', 'AUTO_INCREMENT', 'LAST_INSERT_ID']);
const isError = (name: string): boolean =>
  /^ER_|^(DB|KAFKA|HANDSHAKE|INVARIANT)_.*(MISSING|REFUSED|SCHEMA|UNSUPPORTED|ONLY|FENCED|ERROR|UNKNOWN)$/.test(name);

for (const document of DOCUMENTS) {
  test(`${document}.md names checks, metrics and settings that are there`, () => {
    const text = textOf(document);
    const checks = namesIn(text, /^(settings|database|relay|kafka|redis)\.[a-z-]+$/);
    const metrics = [...new Set(text.match(/\bkafka_row_sender_[a-z_]+(?=[{[)]| >| <)/g) ?? [])];
    const settings = namesIn(text, /^[A-Z]+(_[A-Z]+)+(?==|$)/).filter((name) => !OTHERS.has(name) && !isError(name));
    const known = settingsTable();
    assert.deepEqual(
      checks.filter((id) => !checksTable().includes(`\`${id}\``)),
      [],
    );
    assert.deepEqual(
      metrics.filter((name) => !metricsTable().includes(`\`${name}\``)),
      [],
    );
    assert.deepEqual(
      settings.filter((name) => !known.includes(`KAFKA_ROW_SENDER_${name.replace(/_FILE$/, '')}\``)),
      [],
    );
    assert.ok(checks.length > 5 && settings.length > 5);
  });
}

test('every event that the documents tell to look for is one', () => {
  // Causes of stalls are named alike.
  const events = `${eventsTable()}\n${stallsTable()}`;
  const text = DOCUMENTS.map(textOf).join('\n');
  const named = namesIn(text, /^(commit|gaps|lane|source|row|session|writer|sender|term|went)-[a-z-]+$/);
  assert.deepEqual(
    named.filter((name) => !events.includes(`\`${name}\``)),
    [],
  );
});
