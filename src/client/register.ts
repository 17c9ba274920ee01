// The preload: `node --require register.cjs app.js` or `--import slipstream/register`. In a process that
// Slipstream hosts, the program's HTTP server is reached through the fronts; in one that somebody else starts,
// servers listen through the host that runs for the same SLIPSTREAM_HOME, if any. Worker threads are left alone.

import { installHosted } from './hosted-process.ts';

installHosted();
