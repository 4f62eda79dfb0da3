// The model, away from the page: opens it and embeds texts. Every message has an id, and so has its answer.
import {Model} from './kinglet/kinglet.js';

let model;

async function answer({id, open, texts}) {
  if (open !== undefined) {
    model?.close();
    model = undefined;
    model = await Model.open(open, {onProgress: (progress) => postMessage({id, progress})});
    if (model.info.task !== 'embed') throw new Error(`this model is for ${model.info.task}, not for embeddings`);
    return {info: model.info};
  }
  const start = performance.now();
  const embeddings = model.embed(texts);
  return {embeddings, milliseconds: performance.now() - start};
}

onmessage = async ({data}) => {
  try {
    postMessage({id: data.id, ...await answer(data)});
  } catch (error) {
    postMessage({id: data.id, error: {code: error.code, message: error.message}});
  }
};
