// Who may debug by who they are (settings of the host), beside those who bring a one-time link.

/** What somebody may do with a debugger. */
export type SignInRole = 'observe' | 'step' | 'full';

/** See the head of this file. */
export interface SignIns {
  /** Field in which a trusted proxy names the user, in lower case; '' for none. Fronts take it from everybody else. */
  userField: string;
  /** By the name of the user. */
  users: Readonly<Record<string, SignInRole>>;
  /** By the SHA-256 fingerprint of a certificate that its listener trusts, or its subject: `O=Example, CN=alice`. */
  certificates: Readonly<Record<string, SignInRole>>;
  /** Names by which a debugger may be asked for, in lower case and without a port; see debug/host-names.ts. */
  hosts: readonly string[];
}

/** Nobody. */
export const NO_SIGN_INS: SignIns = { userField: '', users: {}, certificates: {}, hosts: [] };
