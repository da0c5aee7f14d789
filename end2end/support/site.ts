import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { freePort } from './server.js';

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };

/** A folder of files on an origin of its own, with what is told put into its HTML. */
export class Site {
  private constructor(
    readonly url: string,
    private readonly server: HttpServer,
  ) {}

  static async start(folder: string, inHtml: (html: string) => string = (html) => html): Promise<Site> {
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
      const file = join(folder, path === '/' ? 'index.html' : path);
      try {
        const body = readFileSync(file);
        response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
        response.end(extname(file) === '.html' ? inHtml(body.toString()) : body);
      } catch {
        response.writeHead(404).end();
      }
    });
    const port = await freePort();
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    return new Site(`http://127.0.0.1:${port}`, server);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((stopped) => this.server.close(stopped));
  }
}
