// A network that loses requests and answers, cuts, delays, reorders and answers in place of the server, as a sequence
// of numbers says: the same numbers, the same faults. In between it is a proxy that buffers whole answers.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Mulberry32: the same numbers in [0, 1) for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** See the head of this file. */
export class ChaosNetwork {
  /** How often each thing happened. */
  readonly faults: Record<string, number> = {};
  #server: Server;
  #port: number;
  #chance: () => number;

  private constructor(port: number, chance: () => number) {
    this.#port = port;
    this.#chance = chance;
    this.#server = createServer((incoming, response) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', () => response.destroy());
      incoming.on('end', () => this.#carry(incoming, Buffer.concat(parts), response));
    });
  }

  /** In front of a server on loopback. */
  static async start(port: number, chance: () => number): Promise<ChaosNetwork> {
    const network = new ChaosNetwork(port, chance);
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Every connection ends. */
  cut(): void {
    this.#count('cut');
    this.#server.closeAllConnections();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  #carry(incoming: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const fate = this.#chance();
    if (fate < 0.1) {
      this.#count('request lost');
      return void response.destroy();
    }
    if (fate < 0.18) return this.#answerItself(fate, response);
    const { method, url: path, headers } = incoming;
    const outgoing = request({ host: '127.0.0.1', port: this.#port, method, path, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', () => response.destroy());
      answer.on('end', () => this.#deliver(fate, answer, Buffer.concat(parts), response));
    });
    outgoing.on('error', () => response.destroy());
    // A poll that is held goes when its user does.
    if (method === 'GET') response.on('close', () => outgoing.destroy());
    if (fate > 0.9 && method === 'POST' && path!.includes('/send')) this.#repeat(incoming, body);
    outgoing.end(body);
  }

  #answerItself(fate: number, response: ServerResponse): void {
    this.#count('answer of the network');
    if (fate < 0.15) response.writeHead(502).end('<html>bad gateway');
    else response.writeHead(200).end('<html>please wait');
  }

  #deliver(fate: number, answer: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const pass = (): void => void response.writeHead(answer.statusCode!, answer.headers).end(body);
    if (fate < 0.3) {
      // Performed, and nobody hears of it.
      this.#count('answer lost');
      response.destroy();
    } else if (fate < 0.5) {
      this.#count('answer delayed');
      setTimeout(pass, fate * 40);
    } else {
      this.#count('passed');
      pass();
    }
  }

  /** Sent twice, the second time late: numbers make it harmless. */
  #repeat({ method, url: path, headers }: IncomingMessage, body: Buffer): void {
    this.#count('request repeated');
    setTimeout(() => {
      const twin = request({ host: '127.0.0.1', port: this.#port, method, path, headers }, (answer) => answer.resume());
      twin.on('error', () => {});
      twin.end(body);
    }, this.#chance() * 30);
  }
}
