#!/usr/bin/env node
/**
 * A small checker of a history file, independent of everything else here: node docs/check-history.mjs FILE
 *
 * It reads the JSON lines of docs/history.md and prints what is lost, doubled, out of order or was never committed. Exit code 1
 * when it finds anything, 2 when the file holds no run with a row and a record.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const EXAMPLES_MAX = 10;

const counts = { runs: 0, transactions: 0, rows: 0, records: 0, lost: 0, doubled: 0, disordered: 0, uncommitted: 0 };
const examples = [];
const fault = (kind, text) => {
  counts[kind] += 1;
  if (examples.length < EXAMPLES_MAX) examples.push(text);
};

/** Everything between two lines of type `run`. */
const emptyRun = () => ({ tokens: new Map(), ends: new Map(), outcomes: new Map(), rows: [], partitions: new Map() });
let run = emptyRun();

function readTransaction({ transaction, outcome, ended, statements }) {
  counts.transactions += 1;
  run.outcomes.set(transaction, outcome);
  if (outcome === 'committed') run.ends.set(transaction, ended);
  for (const { began, tokens, outcome: own } of statements) {
    for (const token of tokens) run.tokens.set(token, { transaction, began, done: own === 'done' });
  }
}

function readRecord(record) {
  counts.records += 1;
  const name = `${record.topic}/${record.partition}`;
  if (!run.partitions.has(name)) run.partitions.set(name, []);
  run.partitions.get(name).push(record);
}

const idOf = ({ eventId }) => eventId.slice(eventId.lastIndexOf(':') + 1);

function finish() {
  const delivered = new Set();
  for (const [name, records] of run.partitions) {
    records.sort((a, b) => Number(BigInt(a.offset) - BigInt(b.offset)));
    const keys = new Map();
    for (const record of records) {
      if (delivered.has(idOf(record))) {
        fault('doubled', `row ${idOf(record)} twice, again in ${name} at ${record.offset}`);
        continue;
      }
      delivered.add(idOf(record));
      const token = run.tokens.get(record.token);
      // An unknown outcome allows both.
      const committed = token?.done && run.outcomes.get(token.transaction) !== 'rolled-back';
      if (!committed) fault('uncommitted', `row ${idOf(record)}, token ${record.token}, was never committed`);
      if (!keys.has(record.key)) keys.set(record.key, []);
      keys.get(record.key).push(record);
    }
    for (const [key, some] of keys) checkOrder(key, some);
  }
  for (const { id, key, token, promised } of run.rows) {
    if (promised && !delivered.has(id)) fault('lost', `row ${id} of ${key}, token ${token}, was never delivered`);
  }
}

/** From the last record to the first: none may have begun after one behind it had committed. */
function checkOrder(key, records) {
  let earliest = { ended: Number.POSITIVE_INFINITY, id: '' };
  let next = null;
  const behind = new Map();
  for (const record of records.toReversed()) {
    const id = idOf(record);
    if (next !== null && BigInt(record.outboxId) > next) {
      fault('disordered', `row ${id} of ${key} is in front of one with a lower outbox id`);
    }
    next = BigInt(record.outboxId);
    const token = run.tokens.get(record.token);
    if (token === undefined) continue;
    // An updated row shows the token of its update, which says nothing of when it was inserted.
    if (record.version === 1) {
      if (earliest.ended < token.began) {
        fault('disordered', `row ${id} of ${key} began after row ${earliest.id}, behind it, had committed`);
      }
      const after = behind.get(token.transaction);
      if (after !== undefined && after < BigInt(id)) {
        fault('disordered', `row ${id} of ${key} is in front of row ${after} of its own transaction`);
      }
      behind.set(token.transaction, BigInt(id));
    }
    const ended = run.ends.get(token.transaction) ?? Number.POSITIVE_INFINITY;
    if (ended < earliest.ended) earliest = { ended, id };
  }
}

const readers = {
  run: () => {
    finish();
    run = emptyRun();
    counts.runs += 1;
  },
  transaction: readTransaction,
  decision: ({ transaction, outcome }) => run.outcomes.set(transaction, outcome),
  row: (row) => {
    counts.rows += 1;
    run.rows.push(row);
  },
  record: readRecord,
};

for await (const line of createInterface({ input: createReadStream(process.argv[2] ?? '') })) {
  const value = JSON.parse(line);
  readers[value.type]?.(value);
}
finish();

const { runs, transactions, rows, records, lost, doubled, disordered, uncommitted } = counts;
console.log(`${runs} runs, ${transactions} transactions, ${rows} rows in the end, ${records} records`);
for (const example of examples) console.log(example);
console.log(`${lost} lost, ${doubled} doubled, ${disordered} out of order, ${uncommitted} never committed`);
if (rows === 0 || records === 0) process.exitCode = 2;
else if (lost + doubled + disordered + uncommitted > 0) process.exitCode = 1;
