// Serves the demo page on this machine: node serve.mjs PACKAGE MODEL.kgl [PORT]. PACKAGE is the folder of the built npm
// package. Files are sent as they are; everything else than the page, the package and the model is not there.
import {createReadStream, existsSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {dirname, extname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const TYPES = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.wasm': 'application/wasm'};
const PAGE = ['index.html', 'demo.css', 'demo.js', 'worker.js'];
const PACKAGE = ['kinglet.js', 'instance.js', 'sources.js', 'dot.js', 'kinglet.wasm'];

/** A listening server; model: a path, or undefined for a page without. */
export function serve(packageFolder, model, port = 0) {
  const folder = dirname(fileURLToPath(import.meta.url));
  const files = new Map(PAGE.map((name) => [`/${name}`, join(folder, name)]));
  files.set('/', join(folder, 'index.html'));
  for (const name of PACKAGE) files.set(`/kinglet/${name}`, join(packageFolder, name));
  if (model !== undefined) files.set('/model.kgl', model);
  const server = createServer((request, response) => {
    const path = files.get(new URL(request.url, 'http://localhost').pathname);
    if (path === undefined || !existsSync(path)) return response.writeHead(404).end('not here\n');
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    response.writeHead(200, {'content-type': type, 'content-length': statSync(path).size, 'cache-control': 'no-cache'});
    createReadStream(path).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [packageFolder, model, port = 8080] = process.argv.slice(2);
  if (model === undefined || !existsSync(model) || !existsSync(join(packageFolder, 'kinglet.wasm'))) {
    console.error('usage: node serve.mjs PACKAGE MODEL.kgl [PORT]: the folder of the npm package and a model file');
    process.exit(2);
  }
  const server = await serve(packageFolder, model, Number(port));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
