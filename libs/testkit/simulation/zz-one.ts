import { scenarioOf } from './draw-scenario.ts';
import { MUTATIONS } from './mutations.ts';
import { simulate } from './simulate.ts';

const mutation = MUTATIONS.find((m) => m.name.includes(process.argv[3] as string));
if (!mutation) throw new Error('no');
const o = await simulate(scenarioOf(Number(process.argv[2])), { mutation, traceLines: 20000 });
console.log(o.violation?.message);
console.log(o.trace.join('\n'));
