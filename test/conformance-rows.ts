// Requests on which HTTP/1.1 servers and proxies have been seen to disagree, and what is made of each here: the cases
// of uNetworking's h1spec, and the kinds that http-garden collects, which let a request hide in another one. `/its/`
// stands for the place of who serves: a program, or a backend that is no program of ours.

/** A request that is refused: its status, and nobody hears of it or of what follows. */
export type Refused = readonly [what: string, said: string, status: number];
/** A request that is passed on: the messages that arrive, each with one meaning. */
export type Passed = readonly [what: string, said: string, ...arrives: string[]];
/** A request with something behind it: the message that arrives, and the status of what follows, if that gets one. */
export type FirstOnly = readonly [what: string, said: string, arrives: string, second: 400 | undefined];

const HEAD = 'POST /its/ HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
/** What an attacker would like to be a request, where it is a body. */
const HIDDEN = 'GET /its/hidden HTTP/1.1\r\nHost: a\r\n\r\n';
const HIDDEN_CHUNK = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n`;

/** Whole requests that are cut at every byte: the front waits in silence, then serves them. */
export const CUT: readonly string[] = [
  'GET /its/hello HTTP/1.1\r\nHost: localhost\r\n\r\n',
  `${HEAD}Content-Length: 5\r\n\r\nhello`,
  `${CHUNKED}5;a=b\r\nhello\r\n0\r\nT: 1\r\n\r\n`,
];

const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`;
const get = (fields: string): string => `GET /its/ HTTP/1.1\r\n${fields}\r\n`;
const field = (text: string): string => get(`Host: a\r\n${text}\r\n`);

/** Refused by its head: neither a program nor a backend sees a byte. */
export const REFUSED_HEADS: readonly Refused[] = [
  ['no version', 'GET /its/ \r\n\r\n', 400],
  ['nothing but a target', 'GET /its/\r\n\r\n', 400],
  ['version 9.9', line('GET /its/ HTTP/9.9'), 505],
  ['a version with a longer number', line('GET /its/ HTTP/1.32'), 400],
  ['a version whose number overflows', line('GET /its/ HTTP/4294967297.1'), 400],
  ['a version with CRs in it', line('GET /its/ HTTP/\r\r1.1'), 400],
  ['no method at all', line('\0 /its/ HTTP/1.1'), 400],
  ['words in front of the method', line('Some words GET /its/ HTTP/1.1'), 400],
  ['a method that is no token', line('G=":<>(e),[T];?" /its/ HTTP/1.1'), 400],
  ['a LF between target and version', line('GET /its/\nHTTP/1.1'), 400],
  ['a target that is none', line('GET ! HTTP/1.1'), 400],
  ['a target with bytes that are no ASCII', line('GET /its/\xe9 HTTP/1.1'), 400],
  ['the target of another host than Host says', line('GET http://b/its/ HTTP/1.1'), 400],
  ['a target with user information', line('GET http://a@a/its/ HTTP/1.1'), 400],
  ['lines that end with LF', 'GET /its/ HTTP/1.1\nHost: a\n\n', 400],
  ['no Host', get(''), 400],
  ['no Host and a length', get('Content-Length: 5\r\n'), 400],
  ['an empty Host', get('Host:\r\n'), 400],
  ['two Hosts', get('Host: a\r\nHost: b\r\n'), 400],
  ['twice the same Host', get('Host: a\r\nHost: a\r\n'), 400],
  ['a Host with a NUL', get('Host: a\0.b\r\n'), 400],
  ['a Host between bytes that are no ASCII', get('Host: \xffa\xff\r\n'), 400],
  ['brackets in a name', field('X-Name[]: a'), 400],
  ['controls and separators in a name', field('\x01\x02"(),/;<=>?@{}: a'), 400],
  ['0x85 behind a name', field('Content-Length\x85: 10'), 400],
  ['0xef in front of a name', field('\xefName: a'), 400],
  ['no name', field(': a'), 400],
  ['no name and no value', field(':'), 400],
  ['a space behind a name', field('Content-Length : 34'), 400],
  ['a space instead of a colon', field('Content-Length 10'), 400],
  ['no colon', field('Te\nst: a'), 400],
  ['a first line that is folded', get('\tContent-Length: 1\r\nHost: a\r\n'), 400],
  ['a name that goes on in the next line', field('Transfer-\r\nEncoding: chunked'), 400],
  ['a value that goes on in the next line', field('X: a\r\n b'), 400],
  ['a value that goes on behind a tab', field('Transfer-Encoding:\r\n\tchunked'), 400],
  ['BEL in a value', field('X: a\x07'), 400],
  ['NUL in a value', field('X: a\0b'), 400],
  ['NUL behind a value', field('X: a\0'), 400],
  ['CR in a value', field('X: a\rHidden: b'), 400],
  ['CR, then NUL, in a value', field('X: a\0\rb'), 400],
  ['LF in front of a value', field('X:\n\nGET /its/hidden HTTP/1.1'), 400],
  ['a head that ends with CR and another byte', `${get('Host: a\r\n\rZ')}${HIDDEN}`, 400],
  ['a field behind a CR', get('Host: a\r\n\rX: a\r\n'), 400],
  ['an empty Content-Length', field('Content-Length:'), 400],
  ['an empty one in front of another', field('Content-Length: \r\nContent-Length: 43'), 400],
  ['a negative Content-Length', field('Content-Length: -1234'), 400],
  ['a negative one that overflows', field('Content-Length: -123456789123456789123456789'), 400],
  ['letters', field('Content-Length: abc'), 400],
  ['a number and a letter', field('Content-Length: 1Z'), 400],
  ['a plus and an underscore', field('Content-Length: +1_0'), 400],
  ['0x', field('Content-Length: 0x10'), 400],
  ['a leading zero, which is octal elsewhere', field('Content-Length: 010'), 400],
  ['a list of two equal lengths', field('Content-Length: 5, 5'), 400],
  ['two lengths, the first larger', field('Content-Length: 31\r\nContent-Length: 0'), 400],
  ['two lengths, the last larger', field('Content-Length: 0\r\nContent-Length: 31'), 400],
  ['twice the same length', field('Content-Length: 5\r\nContent-Length: 5'), 400],
  ['a length that overflows', field('Content-Length: 18446744073709551621'), 400],
  ['length and chunks, in mixed case', field('content-LengtH: 5\r\nTransFer-Encoding: chunked'), 400],
  ['chunks and length', field('Transfer-Encoding: chunked\r\nContent-Length: 5'), 400],
  ['twice chunked', field('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 400],
  ['twice chunked in one line', field('Transfer-Encoding: chunked, chunked'), 400],
  ['an empty encoding in front of chunked', field('Transfer-Encoding: ,chunked'), 400],
  ['that with a length', field('Transfer-Encoding: ,chunked\r\nContent-Length: 5'), 400],
  ['an encoding that nobody knows', field('Transfer-Encoding: blegh'), 400],
  ['identity', field('Transfer-Encoding: identity'), 400],
  ['chunked in front of another one', field('Transfer-Encoding: chunked, identity'), 400],
  ['0xa0 around chunked', field('Transfer-Encoding: \xa0chunked\xa0'), 400],
  ['0xff around chunked', field('Transfer-Encoding: \xffchunked\xff'), 400],
  ['a vertical tab in front of chunked', field('Transfer-Encoding: \x0bchunked'), 400],
  ['chunked in quotes', field('Transfer-Encoding: "chunked"'), 400],
  ['chunks over HTTP/1.0', 'POST /its/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['an underscore for a hyphen', field('Content_Length: 5'), 400],
  ['a length that Connection takes away', field('Connection: Content-Length\r\nContent-Length: 5'), 400],
];

/** Refused inside the body: nobody gets the end of the request, nor what follows it. */
export const REFUSED_BODIES: readonly Refused[] = [
  ['an empty size', `${CHUNKED}\r\n\r\n`, 400],
  ['0x', `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`, 400],
  ['an underscore', `${CHUNKED}0_2e\r\n\r\n${HIDDEN}0\r\n\r\n`, 400],
  ['a plus', `${CHUNKED}+5\r\nhello\r\n0\r\n\r\n`, 400],
  ['a minus', `${CHUNKED}-0x0\r\n\r\n`, 400],
  ['letters', `${CHUNKED}INVALID!!!\r\n${HIDDEN}`, 400],
  ['Z', `${CHUNKED}Z\r\nZZ\r\nZZZ\r\n\r\n`, 400],
  ['a number and letters', `${CHUNKED}1these-bytes\r\nZ\r\n0\r\n\r\n`, 400],
  ['spaces in front of a size', `${CHUNKED}           0\r\n\r\n`, 400],
  ['a space behind a size', `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`, 400],
  ['a size that overflows', `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`, 400],
  ['CR and another byte behind a size', `${CHUNKED}5\rXhello\r\n0\r\n\r\n`, 400],
  ['CR in front of an extension', `${CHUNKED}2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n${HIDDEN}`, 400],
  ['CR in an extension', `${CHUNKED}5;a=b\r\rXhello\r\n0\r\n\r\n`, 400],
  ['LF in an extension', `${CHUNKED}5;a\nhello\r\n0\r\n\r\n`, 400],
  ['a size that ends with LF', `${CHUNKED}5\nhello\r\n0\r\n\r\n`, 400],
  ['data that end with LF', `${CHUNKED}a\r\n0123456789\n0\r\n\r\n`, 400],
  ['more data than the size says', `${CHUNKED}3\r\nhello\r\n0\r\n\r\n`, 400],
  ['an empty line in front of the last chunk', `${CHUNKED}${HIDDEN_CHUNK}\r\n0\r\n\r\n`, 400],
  ['other bytes than CR LF behind the last chunk', `${CHUNKED}0\r\nX:POST / HTTP/1.1\n\r\n`, 400],
  ['a last chunk that ends with LF', `${CHUNKED}0\n\r\n`, 400],
  ['a trailer without a colon', `${CHUNKED}0\r\nX\r\n\r\n`, 400],
  ['a trailer that is folded', `${CHUNKED}0\r\nX: a\r\n b\r\n\r\n`, 400],
  ['a length as trailer', `${CHUNKED}0\r\nContent-Length: 5\r\n\r\n`, 400],
];

/** Passed on, and what arrives: one message for one request, in one way of writing. */
export const PASSED: readonly Passed[] = [
  ['a plain one', field('X: a'), field('X: a')],
  ['a tab and no value', get('hoSt:\ta\r\nempty:\r\n'), get('hoSt: a\r\nempty: \r\n')],
  ['spaces around a value', field('X: \t a b \t '), field('X: a b')],
  ['bytes that are no ASCII, in a value', field('User: \x85admin\xa0'), field('User: \x85admin\xa0')],
  ['an empty line in front', `\r\n${field('X: a')}`, field('X: a')],
  ['a method of its own', line('SLUDGE /its/ HTTP/1.1'), line('SLUDGE /its/ HTTP/1.1')],
  ['twice a field', field('X: a\r\nX: b'), field('X: a\r\nX: b')],
  ['a body by length', `${HEAD}Content-Length: 5\r\n\r\nhello`, `${HEAD}Content-Length: 5\r\n\r\nhello`],
  ['a body of GET', `${field('Content-Length: 10')}1234567890`, `${field('Content-Length: 10')}1234567890`],
  ['a body that looks like a request', `${HEAD}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
    `${HEAD}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`],
  ['a chunk that looks like a request', `${CHUNKED}${HIDDEN_CHUNK}0\r\n\r\n`, `${CHUNKED}${HIDDEN_CHUNK}0\r\n\r\n`],
  ['chunks', `${CHUNKED}c\r\nHellO world1\r\n0\r\n\r\n`, `${CHUNKED}c\r\nHellO world1\r\n0\r\n\r\n`],
  ['zeros in front of sizes, capital letters, extensions', `${CHUNKED}00C;a=";"\r\nHellO world1\r\n000;b\r\n\r\n`,
    `${CHUNKED}c\r\nHellO world1\r\n0\r\n\r\n`],
  ['a trailer', `${CHUNKED}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`, `${CHUNKED}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`],
  ['capital letters', `${field('Transfer-Encoding: CHUNKED')}0\r\n\r\n`,
    `${field('Transfer-Encoding: CHUNKED')}0\r\n\r\n`],
  ['two behind a length of 0', `${HEAD}Content-Length: 0\r\n\r\n${field('X: 1')}${field('X: 2')}`,
    `${HEAD}Content-Length: 0\r\n\r\n`, field('X: 1'), field('X: 2')],
  ['one behind chunks', `${CHUNKED}1\r\na\r\n0\r\n\r\n${field('X: 1')}`,
    `${CHUNKED}1\r\na\r\n0\r\n\r\n`, field('X: 1')],
  ['what Connection names', field('Connection: keep-alive, X-Hop\r\nX-Hop: a\r\nKeep-Alive: 5\r\nX: a'), field('X: a')],
];

/** Passed on, and refused from there on: the first is answered, then comes the refusal or the end. */
export const FIRST_ONLY: readonly FirstOnly[] = [
  ['rubbish behind Connection: close', `${field('Connection: close')}Rubbish\r\n\r\n`, get('Host: a\r\n'),
    undefined],
  ['a byte behind chunks', `${CHUNKED}0\r\n\r\n\0`, `${CHUNKED}0\r\n\r\n`, 400],
  ['a longer body than its length', `${field('Content-Length: 1')}a(`, `${field('Content-Length: 1')}a`, 400],
];
