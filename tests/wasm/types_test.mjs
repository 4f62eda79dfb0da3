// kinglet.d.ts by the TypeScript compiler: correct uses compile, and wrong ones are errors.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

if (spawnSync('tsc', ['--version']).status !== 0) {
  console.log('SKIPPED: the TypeScript types: tsc is not installed (on Debian: node-typescript)');
  process.exit(77);
}
const folder = mkdtempSync(join(tmpdir(), 'kinglet-types-'));
try {
  mkdirSync(join(folder, 'node_modules'));
  cpSync(process.env.KINGLET_PACKAGE, join(folder, 'node_modules/kinglet'), {recursive: true});
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({files: ['use.ts'], compilerOptions: {noEmit: true,
    strict: true, target: 'es2022', module: 'node16', moduleResolution: 'node16', lib: ['es2022', 'dom'], types: []}}));
  const uses = `
    import {Answer, Classification, cosine, Entity, initialize, KingletError, Model, Prediction, Progress, Ranked,
      Tokens} from 'kinglet';
    await initialize(new URL('https://example.org/kinglet.wasm'));
    const model: Model = await Model.open('model.kgl', {onProgress: (progress: Progress) => void progress.loaded,
      signal: new AbortController().signal, cache: false, rawOutputs: true});
    const one: Float32Array = model.embed('text');
    const many: Float32Array[] = model.embed(['a', 'b']);
    const similarity: number = cosine(one, many[0]);
    const classes: Classification = model.classify({text: 'a', pair: 'b'});
    const ranking: Ranked[] = model.rerank('query', ['a', 'b']);
    const entities: Entity[] = model.tag('text', {aggregation: 'first', windows: true, stride: 8});
    const answers: Answer[] =
      model.answer('question', 'context', {topK: 2, maxAnswerTokens: 9, maxLength: 64, stride: 8, noAnswer: true});
    const masks: Prediction[][] = model.fillMask({text: '[MASK]', pair: 'b'}, {topK: 3});
    const tokens: Tokens = model.tokenize('text', {maxLength: 8});
    const place: [number, number] | null = tokens.offsets[0];
    const rows: number = model.encode('text').last_hidden_state.shape[0];
    try { model.selfTest(); } catch (error) { if (error instanceof KingletError && error.code === 'BAD_MODEL') model.close(); }
  `;
  const wrong = ['new Model();', 'model.embed(7);', 'model.info.labels.push("x");', 'Model.open("x", {maxlength: 7});',
    'new KingletError("NONSENSE", "x");', 'tokens.offsets[0].length;', 'model.tag("x", {aggregation: "mean"});', 'model.answer("x");'];
  writeFileSync(join(folder, 'use.ts'), uses + wrong.map((line) => `\n// @ts-expect-error\n${line}`).join(''));
  const {status, stdout} = spawnSync('tsc', [], {cwd: folder, encoding: 'utf8'});
  assert.equal(status, 0, stdout);
  console.log(`types: ok, ${execFileSync('tsc', ['--version'], {encoding: 'utf8'}).trim()}`);
} finally {
  rmSync(folder, {recursive: true});
}
