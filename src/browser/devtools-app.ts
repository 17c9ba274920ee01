// The debugger's page: DevTools with the panels that mean something for Node, connected to the session proxy.
// The root target is the app, which runs nothing itself; its processes and their worker threads are child
// targets over the same connection, so one window and one poll show them all.

import './devtools-panels.ts';

import * as Host from 'chrome-devtools-frontend/front_end/core/host/host.js';
import * as Common from 'chrome-devtools-frontend/front_end/core/common/common.js';
import * as ProtocolClient from 'chrome-devtools-frontend/front_end/core/protocol_client/protocol_client.js';
import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';
import * as Main from 'chrome-devtools-frontend/front_end/entrypoints/main/main.js';
import * as Components from 'chrome-devtools-frontend/front_end/ui/legacy/components/utils/utils.js';
import { installAppTargets } from './devtools-targets.ts';
import { installLiveEdit } from './devtools-live-edit.ts';
import { keepFunctionNames } from './devtools-names.ts';
import { installPageHost } from './devtools-page-host.ts';
import { PollTransport } from './devtools-transport.ts';

const base = new URL('cdp/', document.baseURI);

const connection: Common.Runnable.Runnable = {
  async run() {
    ProtocolClient.ConnectionTransport.ConnectionTransport.setFactory(
      () => new PollTransport(base, Components.TargetDetachedDialog.TargetDetachedDialog.connectionLost),
    );
    const app = SDK.TargetManager.TargetManager.instance().createTarget(
      'main',
      'App',
      SDK.Target.Type.BROWSER,
      null,
    );
    app.setInspectedURL(location.href);
    installLiveEdit();
    Host.InspectorFrontendHost.InspectorFrontendHostInstance.connectionReady();
  },
};

installPageHost(base);
keepFunctionNames();
installAppTargets();
Common.Runnable.registerEarlyInitializationRunnable(() => connection);
new Main.MainImpl.MainImpl();
