// rerank, tag, answer and fillMask under node: the command line's results bit for bit, options, and what is refused.
import assert from 'node:assert/strict';
import {assertFails, assertSameBits, convert, derive, kinglet, native, run, tinyCheckpoint} from './support.mjs';

const {Model} = kinglet;

const texts = ['Angela Merkel visited Samsung Electronics in Seoul on Tuesday.', 'naïve café — “ok”', '대전은 광역시이다.', '',
  'é🦜 bird \ud800 🎵x Seoul', 'Seoul '.repeat(200)];
const question = 'What sings?';

const tagger = convert(tinyCheckpoint('bert-ner'), 'tag');
const masker = convert(tinyCheckpoint('bert-pretraining'), 'fill-mask');
const answerer = convert(derive('answer'), 'answer');
const ranker = convert(derive('rank'), 'classify', 'rank.kgl');

// Objects of the command line and of the package: the same keys and values, scores to the bit.
function assertSame(expected, actual, what) {
  const plain = (items) => items.map(({score, ...others}) => others);
  assert.deepEqual(plain(actual), plain(expected), what);
  assertSameBits(expected.map(({score}) => score), actual.map(({score}) => score), what);
}

await run({
  'tag': async () => {
    const model = await Model.open(tagger);
    const whole = texts.map((text) => text.toWellFormed?.() ?? text.replace('\ud800', '\ufffd'));
    for (const aggregation of ['simple', 'first', 'average', 'max']) {
      const expected = native('tag', tagger, whole, '--offsets', 'utf16', '--aggregation', aggregation);
      texts.forEach((text, i) => {
        const entities = model.tag(text, {aggregation});
        const cut = entities.map((entity) => ({...entity, text: whole[i].slice(entity.begin, entity.end)}));
        assertSame(expected[i].entities, cut, `${aggregation} of text ${i}`);
        for (const entity of entities) assert.equal(entity.text, text.slice(entity.begin, entity.end));
      });
    }
    assert.deepEqual(model.tag(texts[0]), model.tag(texts[0], {aggregation: 'simple'}));
    // Windows reach what is cut otherwise.
    const short = await Model.open(tagger, {maxLength: 32});
    const long = texts[5];
    const end = (entities) => entities.at(-1).end;
    assert.ok(end(short.tag(long, {windows: true, stride: 4})) > end(short.tag(long)) + 100);
    const few = await Model.open(tagger, {maxLength: 32, documentTokens: 64});
    await assertFails('TOO_LONG', /./, () => few.tag(long, {windows: true}));
    await assertFails('INVALID_ARGUMENT', /aggregation: mean; expected one of simple/,
      () => model.tag('a', {aggregation: 'mean'}));
    await assertFails('INVALID_ARGUMENT', /stride: -1/, () => model.tag('a', {stride: -1}));
    await assertFails('INVALID_ARGUMENT', /expected a string/, () => model.tag({text: 'a'}));
    await assertFails('WRONG_TASK', /./, () => model.fillMask('[MASK]'));
  },
  'answer': async () => {
    const model = await Model.open(answerer, {topK: 40});
    const contexts = ['A kinglet 🎵 sings in a tree.', 'naïve café, 東京', 'birds sing 🦜 often. '.repeat(150)];
    for (const [options, flags] of [[{}, []], [{topK: 7}, ['--top-k', 7]], [{topK: 30, noAnswer: true}, ['--top-k', 30,
      '--no-answer']], [{maxAnswerTokens: 3, maxLength: 48, stride: 9}, ['--max-answer-len', 3, '--max-length', 48,
      '--stride', 9]]]) {
      const inputs = contexts.map((context) => ({question, context}));
      native('answer', answerer, inputs, '--offsets', 'utf16', ...flags.map(String)).forEach(({answers}, i) =>
        assertSame(answers, model.answer(question, contexts[i], options), `${JSON.stringify(options)}, context ${i}`));
    }
    assert.deepEqual(model.answer(question, ''), []);
    await assertFails('INVALID_ARGUMENT', /top_k/, () => model.answer(question, 'a', {topK: 41}));
    await assertFails('INVALID_ARGUMENT', /maxLength: 1\.5/, () => model.answer(question, 'a', {maxLength: 1.5}));
    await assertFails('INVALID_ARGUMENT', /expected a string/, () => model.answer(question));
    await assertFails('WRONG_TASK', /./, () => model.tag('a'));
  },
  'fillMask': async () => {
    const model = await Model.open(masker);
    const inputs = ['[MASK]', 'a [MASK] b [MASK] 🦜', {text: 'a [MASK]', pair: '[MASK] b'}];
    for (const [options, flags] of [[{}, []], [{topK: 16}, ['--top-k', '16']]]) {
      native('fill-mask', masker, inputs, ...flags).forEach(({masks}, i) => {
        const found = model.fillMask(inputs[i], options);
        assert.equal(found.length, masks.length);
        masks.forEach((expected, mask) => assertSame(expected, found[mask], `mask ${mask} of input ${i}`));
      });
    }
    await assertFails('INVALID_ARGUMENT', /mask/, () => model.fillMask('none'));
    await assertFails('INVALID_ARGUMENT', /top_k/, () => model.fillMask('[MASK]', {topK: 17}));
    await assertFails('WRONG_TASK', /./, () => model.answer('a', 'b'));
  },
  'rerank': async () => {
    const model = await Model.open(ranker);
    const some = ['a 🎵', 'kinglets', '', 'stocks', 'kinglets'];
    const [{ranking}] = native('rerank', ranker, [{query: 'small birds', texts: some}]);
    assertSame(ranking, model.rerank('small birds', some), 'ranking');
    assert.deepEqual(model.rerank('small birds', []), []);
    await assertFails('INVALID_ARGUMENT', /expected a string/, () => model.rerank('a', ['b', 7]));
    const other = await Model.open(tagger);
    await assertFails('WRONG_TASK', /./, () => other.rerank('a', ['b']));
  },
  'closed models': async () => {
    const model = await Model.open(tagger);
    model.close();
    for (const [call, ...given] of [['tag', 'a'], ['answer', 'a', 'b'], ['fillMask', 'a'], ['rerank', 'a', ['b']]]) {
      await assertFails('INVALID_ARGUMENT', /the model is closed/, () => model[call](...given));
    }
  },
});
