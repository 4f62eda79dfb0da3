// What the tests of the npm package share: models converted by the host's command line, and checks that count.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const {KINGLET_CLI: cli, KINGLET_TEST_DATA: data, KINGLET_PACKAGE: packageFolder} = process.env;

export const kinglet = await import(pathToFileURL(join(packageFolder, 'kinglet.js')).href);
export {packageFolder};

export function skipped(what, why) {
  console.log(`SKIPPED: ${what}: ${why}`);
}

if (!cli || !existsSync(cli)) {
  skipped('the npm package', `models come from the host's command line, and ${cli} does not exist`);
  process.exit(77);
}

const folder = mkdtempSync(join(tmpdir(), 'kinglet-wasm-'));
process.on('exit', () => rmSync(folder, {recursive: true, force: true}));

// The file of a checkpoint folder converted for a task.
export function convert(checkpoint, task, name = `${task}.kgl`) {
  const file = join(folder, name);
  execFileSync(cli, ['convert', checkpoint, '-o', file, '--task', task], {stdio: ['ignore', 'ignore', 'inherit']});
  return file;
}

export const tinyCheckpoint = (name) => join(data, 'tiny', name);

// A checkpoint with another head, made of the tiny classifier; kind: 'answer' or 'rank'.
export function derive(kind) {
  const out = join(folder, `${kind}-checkpoint`);
  execFileSync('python3', [join(data, '../support/derive_checkpoint.py'), tinyCheckpoint('bert-seqcls'), out, kind]);
  return out;
}

// The command line's answers, one object per input.
export function native(command, file, inputs, ...options) {
  const lines = inputs.map((input) => JSON.stringify(typeof input === 'string' ? {text: input} : input)).join('\n');
  const output = execFileSync(cli, [command, file, '--json', '--jsonl', ...options],
    {input: `${lines}\n`, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'inherit']});
  return output.trimEnd().split('\n').map((line) => JSON.parse(line));
}

const bitsOf = (numbers) => new Uint32Array(new Float32Array(numbers).buffer);

// Numbers that came as text with enough digits, and those computed here.
export function assertSameBits(expected, actual, what) {
  assert.equal(actual.length, expected.length, `${what}: how many`);
  const [a, b] = [bitsOf(expected), bitsOf(actual)];
  for (let i = 0; i < a.length; ++i) {
    assert.equal(b[i], a[i], `${what}: number ${i} is ${actual[i]}, natively ${expected[i]}`);
  }
}

// Runs named tests one after the other; the process fails with the first that does.
export async function run(tests) {
  for (const [name, test] of Object.entries(tests)) {
    const start = performance.now();
    await test();
    console.log(`${name}: ok, ${Math.round(performance.now() - start)} ms`);
  }
}

export async function assertFails(code, pattern, body) {
  await assert.rejects(async () => body(), (error) => {
    assert.equal(error.name, 'KingletError', error.stack);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}
