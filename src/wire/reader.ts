// How a reader of an app's logs and developer pages is known: the host gives the cookie, a front asks about it.

/** Name of the cookie that holds the secret of a reader; its path is the app's. */
export const READER_COOKIE = 'slipstream-reader';

/** Before the group of an app: the front asks the host whether the request may see developer parts. */
export const READER_GROUPS = 'reader:';

/** Before the id of a process: the front asks the host how it ended, for somebody who may see developer parts. */
export const ENDED_GROUPS = 'ended:';
