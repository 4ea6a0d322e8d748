#!/usr/bin/env node
/** The writer: moves committed rows of the sources into the outbox. One active per source, the others hot standby. */
import { limitHeap } from '../wiring/limit-heap.ts';

// Before anything else is loaded: a process that starts anew with its limits would load it twice.
limitHeap();
const { writerProcess } = await import('./writer-process.ts');
await writerProcess();
