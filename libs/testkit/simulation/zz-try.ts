import { scenarioOf } from './draw-scenario.ts';
import { simulate } from './simulate.ts';

const from = Number(process.argv[2] ?? 1),
  n = Number(process.argv[3] ?? 1),
  lines = Number(process.argv[4] ?? 0);
process.on('unhandledRejection', (e) => {
  console.log('UNHANDLED', e);
});
const t0 = performance.now();
let steps = 0,
  rows = 0,
  vms = 0;
const kinds = new Map<string, number[]>();
for (let s = from; s < from + n; s++) {
  const o = await simulate(scenarioOf(s), { traceLines: lines });
  steps += o.steps;
  rows += o.rows;
  vms += o.virtualMs;
  if (o.violation) {
    const k = o.violation.invariant;
    kinds.set(k, [...(kinds.get(k) ?? []), s]);
    if (n <= 400) console.log(s, o.violation.message, o.steps);
    if (lines) console.log(o.trace.slice(-lines).join('\n'));
  }
  if (s % 50 === 0) await new Promise((r) => setImmediate(r));
}
const ms = performance.now() - t0;
const cpu = process.cpuUsage();
console.log('cpu ms/seed', (cpu.user + cpu.system) / 1000 / n);
console.log({ ms: Math.round(ms), perSeed: ms / n, steps: steps / n, rows: rows / n, vms: vms / n });
for (const [k, v] of kinds) console.log(k, v.length, v.slice(0, 12).join(' '));
