// Whom the fronts believe and on which listeners: the settings, which name listeners as `listen` does, as the fronts
// know them, by their origins. Pure.

import type { TrustedPeers } from '../wire/front-messages.ts';
import type { HostSettings } from './host-config.ts';

/** What the fronts are told. `bound`: the listeners of the configuration; `users`: who may dial besides ours. */
export function trustedPeers(
  { trustedProxies, proxyProtocol, lenientListeners, debuggerUserField }: HostSettings,
  { listeners: { bound }, reserved: { users } }: {
    listeners: { bound: readonly { text?: string | undefined; origin: string }[] };
    reserved: { users: readonly unknown[] };
  },
): TrustedPeers {
  const originsOf = (names: readonly string[]): string[] =>
    bound.filter(({ text }) => text !== undefined && names.includes(text)).map(({ origin }) => origin);
  return {
    proxies: [...trustedProxies],
    proxyListeners: originsOf(proxyProtocol),
    lenientListeners: originsOf(lenientListeners),
    ...(debuggerUserField !== '' && { userField: debuggerUserField.toLowerCase() }),
    hasOtherUsers: users.length > 0,
  };
}
