// A first embedding in node: node platforms/wasm/first.mjs [MODEL.kgl]; default: what ./demo converts.
import {fileURLToPath} from 'node:url';
import {Model} from '../../build-wasm/npm/kinglet.js';

const demo = fileURLToPath(new URL('../../build/demo/all-MiniLM-L6-v2.kgl', import.meta.url));
const model = await Model.open(process.argv[2] ?? demo);
console.log(model.embed('A small bird sings.'));
