// Commands that a front end may send to every Node, whether it knows them or not.

/** What DevTools asks of every target but some Node versions do not know: answered in their place. */
export const OPTIONAL_RESULTS: Readonly<Record<string, Record<string, unknown>>> = {
  'Network.enable': {},
  'Network.disable': {},
  'Network.setAttachDebugStack': {},
  'Network.setBlockedURLs': {},
  'Network.setCacheDisabled': {},
  'Network.emulateNetworkConditions': {},
  // DevTools reads the list without looking whether it is there.
  'Network.emulateNetworkConditionsByRule': { ruleIds: [] },
  'Network.overrideNetworkState': {},
  'Network.clearAcceptedEncodingsOverride': {},
  'Network.setBypassServiceWorker': {},
  'Debugger.setBlackboxExecutionContexts': {},
};
