// What DevTools asks of the window around it: files come through the session proxy, links open apart from
// this page, and nothing is reported to anybody.

import * as Host from 'chrome-devtools-frontend/front_end/core/host/host.js';
import { keyFields, readPageData } from './page-data.ts';

/** Writes a file into a stream of DevTools; the status of the answer, 404 when there was none. */
async function loadFile(base: URL, url: string, streamId: number): Promise<number> {
  const address = new URL('file', base);
  address.searchParams.set('url', url);
  try {
    const response = await fetch(address, { headers: keyFields(readPageData(document)) });
    const text = await response.text();
    if (response.ok) Host.ResourceLoader.streamWrite(streamId, text);
    return response.status;
  } catch {
    // DevTools says that the file could not be loaded; there is nothing to add.
    return 404;
  }
}

/** Once, before DevTools starts. `base` is `<app>/debug/cdp/`. */
export function installPageHost(base: URL): void {
  const host = Host.InspectorFrontendHost.InspectorFrontendHostInstance;

  // Source maps, and sources that a map names: DevTools asks the window for file: URLs, not the debuggee.
  const loadNetworkResource = host.loadNetworkResource.bind(host);
  host.loadNetworkResource = (url, headers, streamId, loaded) => {
    if (!url.startsWith('file:')) {
      loadNetworkResource(url, headers, streamId, loaded);
      return;
    }
    void loadFile(base, url, streamId).then((statusCode) => loaded({ statusCode }));
  };

  // No assistant, no badges, no usage logging.
  host.getHostConfig = (callback) => callback({});
  // The title says which app this is (devtools-transport.ts).
  host.inspectedURLChanged = () => {};
  host.openInNewTab = (url) => {
    if (/^https?:/i.test(url)) window.open(url, '_blank', 'noopener,noreferrer');
  };
}
