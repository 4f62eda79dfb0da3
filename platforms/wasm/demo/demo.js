// The page: cuts the text into sentences, has the worker embed them a few at a time, and ranks them by every question.
import {cosine} from './kinglet/kinglet.js';

const SENTENCES_AT_ONCE = 8;  // a question waits for no more than these
const RESULTS = 5;

const element = (id) => document.getElementById(id);
const [query, status, bar, results, reading, text, edit, choose, file] =
  ['query', 'status', 'bar', 'results', 'reading', 'text', 'edit', 'choose', 'file'].map(element);

// ---- The worker ------------------------------------------------------------------------------------------------------

const worker = new Worker(new URL('./worker.js', import.meta.url), {type: 'module'});
const waiting = new Map();
let lastId = 0;

worker.onmessage = ({data}) => {
  const {resolve, reject, onProgress} = waiting.get(data.id);
  if (data.progress) return onProgress?.(data.progress);
  waiting.delete(data.id);
  if (data.error) return reject(Object.assign(new Error(data.error.message), {code: data.error.code}));
  resolve(data);
};
worker.onerror = (event) => fail(new Error(event.message || 'the worker cannot be started'));

function ask(message, onProgress) {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    waiting.set(id, {resolve, reject, onProgress});
    worker.postMessage({id, ...message});
  });
}

// ---- What stands below the question ----------------------------------------------------------------------------------

function say(message, part) {
  status.className = '';
  status.textContent = message;
  bar.hidden = part === undefined;
  if (part !== undefined) bar.firstElementChild.style.width = `${part * 100}%`;
}

function fail(error) {
  say(error.message);
  status.className = 'error';
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

// ---- Sentences -------------------------------------------------------------------------------------------------------

// [{text, begin, end}]: a line break inside a paragraph is a space, an empty line ends a sentence.
function sentencesOf(whole) {
  const segmenter = new Intl.Segmenter(undefined, {granularity: 'sentence'});
  const found = [];
  for (const paragraph of whole.matchAll(/\S(?:.|\n(?!\s*\n))*/g)) {
    const flat = paragraph[0].replace(/\n/g, ' ');
    for (const {segment, index} of segmenter.segment(flat)) {
      const trimmed = segment.trim();
      if (trimmed === '') continue;
      const begin = paragraph.index + index + segment.indexOf(trimmed);
      found.push({text: trimmed, begin, end: begin + trimmed.length});
    }
  }
  return found;
}

let sentences = [];
let generation = 0;  // counts texts: work on an old one stops

function showText(whole) {
  reading.replaceChildren();
  let at = 0;
  sentences = sentencesOf(whole);
  for (const sentence of sentences) {
    sentence.span = document.createElement('span');
    sentence.span.style.setProperty('--heat', 0);
    sentence.span.textContent = sentence.text;
    reading.append(whole.slice(at, sentence.begin).replace(/(\S)\n(?!\s*\n)/g, '$1 '), sentence.span);
    at = sentence.end;
  }
}

async function embedText() {
  const mine = ++generation;
  const total = sentences.length;
  let milliseconds = 0;
  for (let i = 0; i < total; i += SENTENCES_AT_ONCE) {
    say(`Reading sentence ${i + 1} of ${total}…`, i / total);
    const some = sentences.slice(i, i + SENTENCES_AT_ONCE);
    const answer = await ask({texts: some.map((sentence) => sentence.text)});
    if (mine !== generation) return;
    some.forEach((sentence, j) => (sentence.embedding = answer.embeddings[j]));
    milliseconds += answer.milliseconds;
    rank();
  }
  say(`${total} sentences read in ${(milliseconds / 1000).toFixed(2)} s.`);
}

// ---- Questions -------------------------------------------------------------------------------------------------------

let question;  // its embedding
let asking = false;

// Embeds what stands in the field; while that goes on, the field may change, and then it is embedded once more.
async function embedQuestion() {
  if (asking) return;
  asking = true;
  let embedded;
  while (embedded !== query.value) {
    embedded = query.value;
    question = embedded.trim() === '' ? undefined : (await ask({texts: [embedded]})).embeddings[0];
  }
  asking = false;
  results.dataset.question = embedded;
  rank();
}

function rank() {
  const ranked = sentences.filter((sentence) => sentence.embedding);
  for (const sentence of ranked) sentence.score = question ? cosine(question, sentence.embedding) : 0;
  ranked.sort((a, b) => b.score - a.score);
  const [best, worst] = [ranked.at(0)?.score ?? 0, ranked.at(-1)?.score ?? 0];
  for (const {score, span} of ranked) {
    const part = best > worst ? (score - worst) / (best - worst) : 0;
    span.style.setProperty('--heat', (part ** 3).toFixed(3));
  }
  results.replaceChildren(...(question ? ranked.slice(0, RESULTS) : []).map((sentence) => {
    const item = document.createElement('li');
    const button = document.createElement('button');
    const score = document.createElement('span');
    score.className = 'score';
    score.textContent = sentence.score.toFixed(2);
    button.style.setProperty('--score', Math.max(0, sentence.score).toFixed(3));
    button.append(score, sentence.text);
    button.onclick = () => show(sentence);
    item.append(button);
    return item;
  }));
}

function show({span}) {
  reading.querySelector('.chosen')?.classList.remove('chosen');
  span.classList.add('chosen');
  span.scrollIntoView({block: 'center', behavior: 'smooth'});
}

// ---- The page's life -------------------------------------------------------------------------------------------------

async function start(source) {
  choose.hidden = true;
  await ask({open: source}, ({loaded, total}) =>
    say(`Fetching the model: ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''} MB`, total ? loaded / total : 0));
  await embedQuestion();
  query.oninput = () => embedQuestion().catch(fail);
  edit.disabled = false;
  await embedText();
}

edit.disabled = true;
edit.onclick = () => {
  const editing = text.hidden;
  text.hidden = !editing;
  reading.hidden = editing;
  edit.textContent = editing ? 'Search in it' : 'Paste your own';
  if (editing) {
    text.focus();
    text.select();
  } else {
    showText(text.value);
    rank();
    embedText().catch(fail);
  }
};
element('ask').onsubmit = (event) => event.preventDefault();
file.onchange = () => file.files.length > 0 && start(file.files[0]).catch(fail);

showText(text.value);
start(new URL(new URLSearchParams(location.search).get('model') ?? 'model.kgl', location.href).href).catch((error) => {
  fail(error);
  choose.hidden = error.code !== 'IO_ERROR';
});
