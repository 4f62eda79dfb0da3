// Fisher information of tokens and outputs.
#include "prune/importance.h"

#include <algorithm>

#include "base/parallel.h"

namespace kinglet::convert {

namespace {

constexpr size_t kChunkTokens = 256;

// What one chunk adds to a branch.
Branch measure(const Network& network, const Tape& tape, uint32_t out) {
  const size_t hidden = network.model().values[out].width;
  Branch branch = {{}, std::vector<double>(hidden * hidden)};
  const std::vector<float>& gradient = tape.gradients[out];
  for (size_t row = 0; row < gradient.size(); row += hidden) {
    double sum = 0;
    for (size_t j = 0; j < hidden; ++j) {
      sum += static_cast<double>(gradient[row + j]) * static_cast<double>(gradient[row + j]);
    }
    branch.tokens.push_back(static_cast<float>(sum));
  }
  add_gram(gradient.data(), gradient.size() / hidden, hidden, branch.outputs.data(), 1);
  return branch;
}

void merge(const Branch& part, Branch* whole) {
  whole->outputs.resize(part.outputs.size());
  std::transform(part.outputs.begin(), part.outputs.end(), whole->outputs.begin(), whole->outputs.begin(),
                 std::plus<double>());
  whole->tokens.insert(whole->tokens.end(), part.tokens.begin(), part.tokens.end());
}

uint32_t written(const ModelIR& model, size_t op) {
  return std::get<LinearOp>(model.program[op]).out;
}

}  // namespace

std::vector<Chunk> split_texts(const Tokens& tokens, size_t first, size_t last, size_t count) {
  std::vector<Chunk> chunks;
  while (first < last) {
    size_t end = first + 1;
    while (end < last && tokens.count(first, end + 1) <= count) {
      ++end;
    }
    chunks.push_back({first, end});
    first = end;
  }
  return chunks;
}

Importance measure_importance(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
                              const Objective& objective, uint64_t seed, size_t threads, const Fraction& progress) {
  const ModelIR& model = network.model();
  const std::vector<Chunk> chunks = split_texts(tokens, 0, tokens.texts(), kChunkTokens);
  Importance whole = {std::vector<Branch>(layers.size()), std::vector<Branch>(layers.size())};
  std::vector<Importance> parts(threads);
  // Chunks are added in their order, whatever the number of threads.
  for (size_t first = 0; first < chunks.size(); first += threads) {
    const size_t count = std::min(threads, chunks.size() - first);
    parallel_for(threads, count, [&](size_t i) {
      Tape tape = network.tape(tokens, chunks[first + i].first, chunks[first + i].last, true);
      network.forward(tape, 0, model.program.size());
      seed_gradients(network, objective, seed, tape);
      network.backward(tape, layers.front().op, model.program.size());
      parts[i] = {};
      for (const EncoderLayer& layer : layers) {
        parts[i].attention.push_back(measure(network, tape, written(model, layer.op + 1)));
        parts[i].feed_forward.push_back(measure(network, tape, written(model, layer.op + 4)));
      }
    });
    for (size_t i = 0; i < count; ++i) {
      for (size_t layer = 0; layer < layers.size(); ++layer) {
        merge(parts[i].attention[layer], &whole.attention[layer]);
        merge(parts[i].feed_forward[layer], &whole.feed_forward[layer]);
      }
    }
    progress(static_cast<double>(first + count) / static_cast<double>(chunks.size()));
  }
  return whole;
}

}  // namespace kinglet::convert
