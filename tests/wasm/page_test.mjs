// The demo page in a real browser: it opens the model in a worker, reads the text, ranks sentences by a question, takes
// pasted text, keeps the model in the browser's cache, and offers to choose a file when there is no model. With
// KINGLET_SCREENSHOTS=FOLDER it leaves pictures there.
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {Browser, whyNoBrowser} from './browser.mjs';
import {assertSameBits, convert, kinglet, packageFolder, run, skipped, tinyCheckpoint} from './support.mjs';
import {serve} from '../../platforms/wasm/demo/serve.mjs';

if (whyNoBrowser()) {
  skipped('the demo page in a browser', whyNoBrowser());
  process.exit(77);
}
const minilm = process.env.KINGLET_MINILM;
if (!minilm) skipped('whether the demo page finds what is meant', 'KINGLET_MINILM is not set');
const file = convert(minilm || tinyCheckpoint('bert'), 'embed');
const model = await kinglet.Model.open(file);

const server = await serve(packageFolder, file);
let models = 0;
server.on('request', (request) => models += request.url === '/model.kgl');
const empty = await serve(packageFolder, undefined);
const url = (of) => `http://127.0.0.1:${of.address().port}/`;
const browser = await Browser.start();

const done = `/sentences read/.test(document.getElementById('status').textContent)`;
const ranked = (question) => `document.getElementById('results').dataset.question === ${JSON.stringify(question)}`;
const shown = () => browser.evaluate(`[...document.querySelectorAll('#results button')].map((button) =>
  [button.lastChild.textContent, button.querySelector('.score').textContent])`);
const picture = async (name) => {
  if (process.env.KINGLET_SCREENSHOTS) await browser.screenshot(join(process.env.KINGLET_SCREENSHOTS, name));
};

// The page's results are those that the model gives under node.
async function checkResults(question, sentences) {
  const asked = model.embed(question);
  const scores = new Map(sentences.map((sentence) => [sentence, kinglet.cosine(asked, model.embed(sentence))]));
  const expected = [...scores.values()].sort((a, b) => b - a).slice(0, 5).map((score) => score.toFixed(2));
  const results = await shown();
  assert.deepEqual(results.map(([, score]) => score), expected);
  for (const [sentence, score] of results) assert.equal(scores.get(sentence)?.toFixed(2), score, sentence);
  return results[0][0];
}
const sentencesShown = () => browser.evaluate(`[...document.querySelectorAll('#reading span')].map((s) => s.textContent)`);

try {
  await run({
    'the text that comes with the page': async () => {
      await browser.size(1200, 900);
      await browser.open(url(server));
      await browser.until(done);
      const sentences = await sentencesShown();
      assert.equal(sentences.length, 22);
      const best = await checkResults('Why do the children stay awake?', sentences);
      if (minilm) assert.match(best, /none of them can sleep/);
      await picture('demo.png');
    },
    'another question': async () => {
      await browser.type('query', 'bad weather destroyed buildings');
      await browser.until(ranked('bad weather destroyed buildings'));
      const best = await checkResults('bad weather destroyed buildings', await sentencesShown());
      if (minilm) assert.match(best, /storm tore the roof/);
      await browser.evaluate(`document.querySelector('#results button').click()`);
      await browser.until(`document.querySelector('.chosen') !== null`);
    },
    'pasted text': async () => {
      await browser.evaluate(`document.getElementById('edit').click()`);
      await browser.type('text', 'Bread needs flour. The train to Lyon leaves at nine.\n\nRain fell\nall night. 🦜 Parrots talk.');
      await browser.evaluate(`document.getElementById('edit').click()`);
      await browser.until(`/^4 sentences read/.test(document.getElementById('status').textContent)`);
      await browser.type('query', 'public transport');
      await browser.until(ranked('public transport'));
      const sentences = await sentencesShown();
      assert.deepEqual(sentences, ['Bread needs flour.', 'The train to Lyon leaves at nine.', 'Rain fell all night.',
        '🦜 Parrots talk.']);
      const best = await checkResults('public transport', sentences);
      if (minilm) assert.match(best, /train/);
    },
    'the model is fetched once': async () => {
      assert.equal(models, 1);
      await browser.open('about:blank');
      await browser.size(390, 844, true);
      await browser.open(url(server));
      await browser.until(done);
      assert.equal(models, 1);
      await picture('demo-phone-dark.png');
    },
    'the same bits as under node': async () => {
      const texts = [1, 2, 3, 5, 30, 126, 400].map((words) => 'naïve 🦜 bird '.repeat(words));
      const [found, relaxed] = await browser.evaluate(`(async () => {
        const {Model} = await import('./kinglet/kinglet.js');
        const {Instance} = await import('./kinglet/instance.js');
        const model = await Model.open('model.kgl');
        return [model.embed(${JSON.stringify(texts)}).map((row) => [...row]), (await Instance.create()).relaxed];
      })()`);
      model.embed(texts).forEach((expected, i) => assertSameBits(expected, found[i], `text ${i}`));
      console.log(`dot products by relaxed SIMD: in the browser ${relaxed}`);
    },
    'speed in the browser': async () => {
      const [milliseconds, isa] = await browser.evaluate(`(async () => {
        const {Model} = await import('./kinglet/kinglet.js');
        const model = await Model.open('model.kgl');
        const text = 'word '.repeat(126);
        let best = Infinity;
        for (let i = 0; i < 20; ++i) {
          const start = performance.now();
          model.embed(text);
          best = Math.min(best, performance.now() - start);
        }
        return [best, model.info.isa];
      })()`);
      assert.equal(isa, 'wasm_simd128');
      console.log(`${minilm ? 'all-MiniLM-L6-v2' : 'a tiny BERT'}, 128 tokens: ${milliseconds.toFixed(1)} ms`);
    },
    'no script failed': () => assert.deepEqual(browser.problems, []),
    'no model beside the page': async () => {
      await browser.open(url(empty));
      await browser.until(`!document.getElementById('choose').hidden`);
      assert.match(await browser.evaluate(`document.getElementById('status').textContent`), /HTTP status 404/);
    },
  });
} finally {
  await browser.close();
  for (const each of [server, empty]) {
    each.closeAllConnections();
    each.close();
  }
}
