/**
 * The pure core of the relay: lane and id arithmetic, the ports, and the two protocols (writer's term, sender's track).
 * Nothing here touches a server, a timer or chance directly. SPEC.md numbers the invariants.
 */
export * from './lane.ts';
export { murmur2 } from './murmur2.ts';
export type * from './ports.ts';
