import { createServer, connect, type Server as NetServer, type Socket } from 'node:net';
import { frameAt, textOf } from './frames.js';
import { Random } from './random.js';

/**
 * What happens to a connection in the middle of a body.
 *
 * - `cut`: it is reset.
 * - `stall`: nothing is taken from the browser any more; most go on after a while.
 * - `blackHole`: everything is taken and nothing is passed on, and the server is not told either;
 *   most connections are reset after a while, as by a router that has forgotten them.
 *
 * One stall and one black hole in ten never end, so that somebody has to give up waiting.
 */
export type Fault = 'cut' | 'stall' | 'blackHole';

/** A pack on its way through the proxy. */
interface Pack {
  /** Length of its body. */
  length: number;
  /** Bytes of its body that have reached the server. */
  passed: number;
  /** What became of it, for the person who reads a failure. */
  fate: string;
}

/** One request of a connection: its head is read, its body is counted. */
interface Request {
  left: number;
  pack: Pack | undefined;
}

/**
 * A TCP proxy of ours between browser and server. It understands just enough HTTP to tell the body
 * bytes of packs from everything else, and harms only those.
 */
export class FaultyProxy {
  /** Faults that have struck, by kind. */
  readonly struck: Record<Fault, number> = { cut: 0, stall: 0, blackHole: 0 };
  /** Body bytes of packs that were passed on to the server. */
  passedBytes = 0;
  /** WebSockets that were asked for, and packs that came over them. */
  sockets = 0;
  carried = 0;
  /** Whether it knows no WebSockets, as many a proxy. */
  refusesSockets = false;
  /**
   * Body bytes that had been passed on of packs whose answer never came, because of a fault or
   * because one side went away: what may have to be sent again.
   */
  lostBytes = 0;
  /** Packs that have no answer yet. */
  private readonly open = new Set<Pack>();
  private readonly packs: Pack[] = [];
  private readonly connections = new Set<Socket>();
  private readonly swallow = new Set<() => void>();
  private listener: NetServer | undefined;
  private readonly plan: { at: number; fault: Fault; lasts: number | undefined; onSocket: boolean }[] = [];

  private constructor(
    private readonly target: number,
    readonly port: number,
  ) {}

  static async start(target: number, port: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target, port);
    proxy.listener = createServer((browser) => proxy.carry(browser));
    await new Promise<void>((done) => proxy.listener!.listen(port, '127.0.0.1', done));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * Lets `each` faults of each kind strike, at random bytes spread over the next `bytes` body bytes; the first one waits for what
   * comes over a WebSocket, if that is asked for.
   */
  plague(each: number, bytes: number, seed: string, onSocket = false): void {
    const random = new Random(seed);
    const faults = random.shuffled<Fault>((['cut', 'stall', 'blackHole'] as const).flatMap((fault) => Array<Fault>(each).fill(fault)));
    const share = bytes / faults.length;
    const before = { cut: 0, stall: 0, blackHole: 0 };
    for (const [i, fault] of faults.entries()) {
      const lasts = before[fault]++ % 10 === 0 ? undefined : random.between(300, 3000);
      this.plan.push({ at: this.passedBytes + Math.floor((i + random.next()) * share), fault, lasts, onSocket: onSocket && i === 0 });
    }
  }

  /** Faults that have not struck yet. */
  get planned(): number {
    return this.plan.length;
  }

  /** Body lengths of the packs on their way now, together. */
  get inFlightBytes(): number {
    return [...this.open].reduce((sum, pack) => sum + pack.length, 0);
  }

  /** All packs in their order, a line each: length, bytes passed on, what became of it. */
  get log(): string {
    return this.packs.map(({ length, passed, fate }) => `${length} ${passed} ${fate}\n`).join('');
  }

  /** From now on nothing that comes over the WebSockets of now is passed on, and nobody is told. */
  swallowSockets(): void {
    for (const each of this.swallow) each();
  }

  /** Ends all connections, and takes no new ones. */
  async stop(): Promise<void> {
    this.plan.length = 0;
    const closed = new Promise((done) => this.listener?.close(done));
    for (const socket of this.connections) socket.destroy();
    await closed;
  }

  private carry(browser: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    for (const socket of [browser, server]) {
      socket.setNoDelay(true);
      this.connections.add(socket);
      socket.on('close', () => this.connections.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    let request: Request | undefined;
    let head = Buffer.alloc(0);
    /** Frames of a WebSocket follow, and no requests any more. */
    let isSocket = false;
    /** In a black hole: what comes is swallowed. */
    let deaf = false;
    let stalled = false;
    /** The pack on this connection that has no answer yet. */
    let unanswered: Pack | undefined;

    const lose = (how: string): void => {
      if (unanswered && this.open.delete(unanswered)) {
        this.lostBytes += unanswered.passed;
        unanswered.fate = how;
      }
      unanswered = undefined;
    };
    const turnDeaf = (): void => {
      deaf ||= isSocket;
    };
    this.swallow.add(turnDeaf);
    browser.on('close', () => {
      this.swallow.delete(turnDeaf);
      lose('the browser went away');
      // A server behind a black hole is not told that the browser has gone.
      if (!deaf) server.destroy();
    });
    server.on('close', () => {
      lose('the server went away');
      if (!deaf) browser.destroy();
    });
    server.on('data', (bytes) => {
      if (deaf) return;
      // Over a socket the server says meanwhile how much it has taken.
      if (unanswered?.passed === unanswered?.length && (!isSocket || bytes.includes('"status"'))) {
        if (unanswered) {
          this.open.delete(unanswered);
          unanswered.fate = bytes.toString('latin1', 0, 2000).replace(/\s+/g, ' ');
        }
        unanswered = undefined;
      }
      if (!browser.write(bytes)) {
        server.pause();
        browser.once('drain', () => server.resume());
      }
    });

    const pass = (bytes: Buffer): void => {
      if (!server.write(bytes)) {
        browser.pause();
        server.once('drain', () => {
          if (!stalled) browser.resume();
        });
      }
    };

    const strike = (): void => {
      const { fault, lasts } = this.plan.shift()!;
      this.struck[fault] += 1;
      // A stall that ends loses nothing.
      if (fault !== 'stall' || lasts === undefined) lose(fault);
      switch (fault) {
        case 'cut':
          browser.resetAndDestroy();
          server.destroy();
          break;
        case 'stall':
          stalled = true;
          browser.pause();
          if (lasts !== undefined) {
            setTimeout(() => {
              stalled = false;
              browser.resume();
            }, lasts);
          }
          break;
        case 'blackHole':
          deaf = true;
          if (lasts !== undefined) setTimeout(() => browser.resetAndDestroy(), lasts);
          break;
      }
    };

    const take = (bytes: Buffer): void => {
      let rest = bytes;
      while (rest.length > 0 && !deaf && !browser.destroyed) {
        if (!request && isSocket) {
          head = Buffer.concat([head, rest]);
          const frame = frameAt(head);
          if (!frame || (frame.isText && head.length < frame.length)) return;
          const end = frame.isText ? frame.length : frame.head;
          pass(head.subarray(0, end));
          if (frame.isText) {
            unanswered = this.announced(JSON.parse(textOf(head, frame)) as { length: number });
            this.carried += 1;
          } else request = { left: frame.length - end, pack: unanswered };
          rest = head.subarray(end);
          head = Buffer.alloc(0);
          if (request?.left === 0) request = undefined;
          continue;
        }
        if (!request) {
          head = Buffer.concat([head, rest]);
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return;
          rest = head.subarray(end + 4);
          const lines = head.subarray(0, end + 4);
          const text = lines.toString('latin1');
          request = this.begin(text);
          isSocket = /^upgrade: websocket/im.test(text);
          if (isSocket) this.sockets += 1;
          if (isSocket && this.refusesSockets) {
            browser.end('HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
            return;
          }
          head = Buffer.alloc(0);
          pass(lines);
          if (request.pack) unanswered = request.pack;
          if (request.left === 0) request = undefined;
          continue;
        }
        const { pack } = request;
        const whole = Math.min(rest.length, request.left);
        const [next] = this.plan;
        const strikes = pack !== undefined && next !== undefined && next.at < this.passedBytes + whole && (isSocket || !next.onSocket);
        const part = strikes ? Math.max(0, next.at - this.passedBytes) : whole;
        if (part > 0) {
          pass(rest.subarray(0, part));
          rest = rest.subarray(part);
          request.left -= part;
          if (pack) {
            pack.passed += part;
            this.passedBytes += part;
          }
        }
        if (strikes) {
          strike();
          if (stalled) {
            // What was read already waits in front of what will come.
            if (rest.length > 0) browser.unshift(rest);
            return;
          }
        } else if (request.left === 0) request = undefined;
      }
    };
    browser.on('data', take);
  }

  private announced({ length }: { length: number }): Pack {
    const pack = { length, passed: 0, fate: 'on its way' };
    this.open.add(pack);
    this.packs.push(pack);
    return pack;
  }

  private begin(head: string): Request {
    if (/^transfer-encoding:/im.test(head)) throw new Error('a chunked request: this proxy does not know them');
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    const [method, path] = head.split(' ', 2);
    return { left: length, pack: method === 'POST' && path?.endsWith('/packs') ? this.announced({ length }) : undefined };
  }
}
