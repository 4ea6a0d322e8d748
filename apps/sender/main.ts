#!/usr/bin/env node
/** The sender: delivers the outbox's lanes to Kafka, exactly once. Run as many as you like; they share the lanes out. */
import { limitHeap } from '../wiring/limit-heap.ts';

// Before anything else is loaded: a process that starts anew with its limits would load it twice.
limitHeap();
const { senderProcess } = await import('./sender-process.ts');
await senderProcess();
