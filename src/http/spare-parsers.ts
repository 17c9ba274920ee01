// Parsers of request heads are alike between two heads: a connection has one of its own only while it is inside a
// head. So idle connections hold none, and new ones seldom make one.

import { RequestHeadParser, type HeadLimits } from './request-head.ts';

/** One for each kind of listener: strict, lenient. */
const spare: [RequestHeadParser | null, RequestHeadParser | null] = [null, null];

/** A parser that stands in front of a head. It is the caller's until it is given back. */
export function takeParser(limits: HeadLimits, isLenient: boolean): RequestHeadParser {
  const kind = isLenient ? 1 : 0;
  const parser = spare[kind];
  spare[kind] = null;
  return parser !== null && parser.limits === limits ? parser : new RequestHeadParser(limits, isLenient);
}

/** Gives a parser back that has just read a whole head. */
export function giveParser(parser: RequestHeadParser, isLenient: boolean): void {
  spare[isLenient ? 1 : 0] = parser;
}
