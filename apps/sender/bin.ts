#!/usr/bin/env node
/** The executable of the package: refuses an old Node before it loads what that one could not. */
import { refuseOldNode } from '../launch/refuse-old-node.ts';

refuseOldNode();
await import('./main.ts');
