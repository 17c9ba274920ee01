// The panels of DevTools: Sources, Console, Memory, Performance and Network. What is about web pages,
// assistants, the file system of Chrome or experiments is left out or taken away.

import 'chrome-devtools-frontend/front_end/Images/Images.js';
import 'chrome-devtools-frontend/front_end/ui/dom_extension/dom_extension.js';
import 'chrome-devtools-frontend/front_end/panels/sources/sources-meta.js';
import 'chrome-devtools-frontend/front_end/panels/profiler/profiler-meta.js';
import 'chrome-devtools-frontend/front_end/panels/console/console-meta.js';
import 'chrome-devtools-frontend/front_end/panels/changes/changes-meta.js';
import 'chrome-devtools-frontend/front_end/panels/linear_memory_inspector/linear_memory_inspector-meta.js';
import 'chrome-devtools-frontend/front_end/panels/settings/settings-meta.js';
import 'chrome-devtools-frontend/front_end/panels/protocol_monitor/protocol_monitor-meta.js';
import 'chrome-devtools-frontend/front_end/entrypoints/main/main-meta.js';
import 'chrome-devtools-frontend/front_end/ui/legacy/components/perf_ui/perf_ui-meta.js';
import 'chrome-devtools-frontend/front_end/ui/legacy/components/quick_open/quick_open-meta.js';
import 'chrome-devtools-frontend/front_end/ui/legacy/components/source_frame/source_frame-meta.js';
import 'chrome-devtools-frontend/front_end/panels/console_counters/console_counters-meta.js';
import 'chrome-devtools-frontend/front_end/entrypoints/main/main.js';
import 'chrome-devtools-frontend/front_end/panels/timeline/timeline-meta.js';
// The Network panel needs settings that this one registers.
import 'chrome-devtools-frontend/front_end/panels/mobile_throttling/mobile_throttling-meta.js';
import 'chrome-devtools-frontend/front_end/panels/network/network-meta.js';

import * as i18n from 'chrome-devtools-frontend/front_end/core/i18n/i18n.js';
import * as UI from 'chrome-devtools-frontend/front_end/ui/legacy/legacy.js';

const VIEWS_REMOVED = [
  // Need access to files that only Chrome's own window has.
  'navigator-files',
  'navigator-overrides',
  'workspace',
  // About web pages.
  'navigator-content-scripts',
  'network.blocked-urls',
  'network.config',
  'throttling-conditions',
  'backend-linking',
  'devices',
  // Not for users of this page.
  'chrome-ai',
  'experiments',
];

for (const id of VIEWS_REMOVED) UI.ViewManager.maybeRemoveViewExtension(id);

UI.ViewManager.registerViewExtension({
  location: UI.ViewManager.ViewLocationValues.NAVIGATOR_VIEW,
  id: 'navigator-network',
  title: () => i18n.i18n.lockedString('Scripts'),
  commandPrompt: () => i18n.i18n.lockedString('Show Scripts'),
  order: 2,
  persistence: UI.ViewManager.ViewPersistence.PERMANENT,
  async loadView({ networkProjectManager }) {
    const sources = await import('chrome-devtools-frontend/front_end/panels/sources/sources.js');
    const view = sources.SourcesNavigator.NetworkNavigatorView;
    return view.instance({ forceNew: null, networkProjectManager });
  },
});
