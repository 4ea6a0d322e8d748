import { scenarioOf } from './draw-scenario.ts';
import { MUTATIONS } from './mutations.ts';
import { simulate } from './simulate.ts';

const max = Number(process.argv[2] ?? 300);
process.on('unhandledRejection', () => {});
for (const mutation of MUTATIONS) {
  if (process.argv[3] && !mutation.name.includes(process.argv[3])) continue;
  const caught = [] as string[];
  for (let s = 1; s <= max && caught.length < 3; s++) {
    const o = await simulate(scenarioOf(s, mutation.theme), { mutation });
    if (o.violation) {
      caught.push(`${s}: ${o.violation.message.slice(0, 100)}`);
    }
    if (s % 20 === 0) await new Promise((r) => setImmediate(r));
  }
  console.log(caught.length ? 'CAUGHT' : 'MISSED', mutation.name, caught.join(' | '));
}
