// Names of functions in the call stack of programs with source maps. Compilers seldom write names into their
// maps; DevTools then calls every function anonymous, although V8 knows its name.

import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';

/** Frames without a name from the map keep the one that V8 said. Once, before DevTools starts. */
export function keepFunctionNames(): void {
  const { prototype } = SDK.SourceMap.SourceMap;
  const translateCallSite = prototype.translateCallSite;
  prototype.translateCallSite = function (line, column) {
    const frames = translateCallSite.call(this, line, column);
    // Without an answer DevTools looks up the place only.
    return frames.length === 1 && !frames[0]!.name ? [] : frames;
  };
}
