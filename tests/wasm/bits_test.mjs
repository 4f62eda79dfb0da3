// int8 models give the same bits under node as natively: every raw output, embeddings, scores, tokens and offsets.
import assert from 'node:assert/strict';
import {assertSameBits, convert, kinglet, native, run, skipped, tinyCheckpoint} from './support.mjs';

const {Model} = kinglet;

const texts = [
  'a gripping , beautifully acted film that stays with you long after the credits',
  'no',
  '',
  'naïve café, 東京 and 서울: 10 €, 🦜🦜 unaffable!',
  'word '.repeat(300),
];
const pairs = [{text: 'A kinglet sings.', pair: 'A small bird sings 🎵 in a tree.'}, {text: '', pair: 'x'}];

async function compareOutputs(file, inputs) {
  const model = await Model.open(file, {rawOutputs: true});
  assert.equal(model.info.isa, 'wasm_simd128');
  const expected = native('encode', file, inputs);
  inputs.forEach((input, i) => {
    const outputs = model.encode(input);
    assert.deepEqual(Object.keys(outputs), Object.keys(expected[i].outputs));
    for (const [name, {shape, data}] of Object.entries(expected[i].outputs)) {
      assert.deepEqual(outputs[name].shape, shape);
      assertSameBits(data.flat(2), outputs[name].data, `${name} of input ${i}`);
    }
  });
  model.selfTest();
  model.close();
}

async function compareEmbeddings(file, inputs) {
  const model = await Model.open(file);
  const expected = native('embed', file, inputs);
  model.embed(inputs).forEach((embedding, i) => assertSameBits(expected[i].embedding, embedding, `text ${i}`));
}

async function compareTokens(file, inputs) {
  const model = await Model.open(file);
  native('tokenize', file, inputs, '--offsets', 'utf16').forEach((expected, i) => {
    const {ids, typeIds, tokens, offsets} = model.tokenize(inputs[i]);
    assert.deepEqual([...ids], expected.ids);
    assert.deepEqual([...typeIds], expected.type_ids);
    assert.deepEqual(tokens, expected.tokens);
    assert.deepEqual(offsets, expected.offsets);
  });
}

const embedder = convert(tinyCheckpoint('bert'), 'embed');
const classifier = convert(tinyCheckpoint('bert-seqcls'), 'classify');

const tests = {
  'raw outputs of a tiny BERT': () => compareOutputs(embedder, [...texts, ...pairs]),
  'raw outputs of a tiny classifier': () => compareOutputs(classifier, [...texts, ...pairs]),
  'embeddings of a tiny BERT': () => compareEmbeddings(embedder, texts),
  'scores of a tiny classifier': async () => {
    const model = await Model.open(classifier);
    const inputs = [...texts, ...pairs];
    native('classify', classifier, inputs).forEach((expected, i) => {
      const {label, score, scores, truncated} = model.classify(inputs[i]);
      assert.equal(label, expected.label);
      assertSameBits([expected.score], [score], 'score');
      assert.deepEqual(scores.map((entry) => entry.label), model.info.labels);
      assertSameBits(model.info.labels.map((name) => expected.scores[name]), scores.map((entry) => entry.score), 'scores');
      assert.equal(truncated, expected.truncated ?? false);
    });
  },
  'tokens and UTF-16 offsets': () => compareTokens(embedder, [...texts, ...pairs]),
};

const minilm = process.env.KINGLET_MINILM;
if (minilm) {
  const file = convert(minilm, 'embed', 'minilm.kgl');
  Object.assign(tests, {
    'raw outputs of all-MiniLM-L6-v2': () => compareOutputs(file, texts.slice(0, 4)),
    'embeddings of all-MiniLM-L6-v2': () => compareEmbeddings(file, texts),
    'tokens and UTF-16 offsets of all-MiniLM-L6-v2': () => compareTokens(file, [...texts, ...pairs]),
  });
} else {
  skipped('all-MiniLM-L6-v2 under node', 'KINGLET_MINILM is not set');
}

await run(tests);
