// Tries every layer that is left.
#include "prune/depth.h"

#include <algorithm>
#include <variant>

#include "base/parallel.h"
#include "ir/cut.h"

namespace kinglet::convert {

namespace {

constexpr size_t kChunkTokens = 256, kMostChunks = 32;

// Chunks from all over the texts.
std::vector<Chunk> sample_texts(const Tokens& tokens) {
  const std::vector<Chunk> all = split_texts(tokens, 0, tokens.texts(), kChunkTokens);
  const size_t count = std::min(all.size(), kMostChunks);
  std::vector<Chunk> some;
  for (size_t i = 0; i < count; ++i) {
    some.push_back(all[i * all.size() / count]);
  }
  return some;
}

class Depth {
 public:
  Depth(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
        const Objective& objective, size_t threads)
      : network_(network),
        layers_(layers),
        tokens_(tokens),
        objective_(objective),
        threads_(threads),
        chunks_(sample_texts(tokens)),
        exact_(chunks_.size()),
        kept_(layers.size(), true) {
    parallel_for(threads_, chunks_.size(), [&](size_t i) {
      Tape tape = network_.tape(tokens_, chunks_[i].first, chunks_[i].last, false);
      network_.forward(tape, 0, network_.model().program.size());
      exact_[i] = std::move(tape.values[objective_.value]);
    });
  }

  const std::vector<bool>& kept() const { return kept_; }

  void remove_one() {
    std::vector<std::vector<double>> parts(chunks_.size(), std::vector<double>(layers_.size()));
    parallel_for(threads_, chunks_.size(), [&](size_t i) { try_all(i, &parts[i]); });
    size_t best = layers_.size();
    std::vector<double> errors(layers_.size());
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      for (const std::vector<double>& part : parts) {
        errors[layer] += part[layer];
      }
      if (kept_[layer] && (best == layers_.size() || errors[layer] < errors[best])) {
        best = layer;
      }
    }
    kept_[best] = false;
  }

 private:
  // What becomes of the outputs of a chunk without each of the layers that are left.
  void try_all(size_t chunk, std::vector<double>* errors) const {
    Tape tape = network_.tape(tokens_, chunks_[chunk].first, chunks_[chunk].last, false);
    network_.forward(tape, 0, layers_.front().op);
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      if (kept_[layer]) {
        Tape trial = network_.tape(tokens_, chunks_[chunk].first, chunks_[chunk].last, false);
        trial.values[layers_[layer].out] = tape.values[layers_[layer].in];
        for (size_t above = layer + 1; above < layers_.size(); ++above) {
          pass(above, trial);
        }
        network_.forward(trial, layers_.back().op + kLayerOps, network_.model().program.size());
        (*errors)[layer] = divergence(network_, objective_, exact_[chunk], trial);
      }
      pass(layer, tape);
    }
  }

  void pass(size_t layer, Tape& tape) const {
    const EncoderLayer& place = layers_[layer];
    if (kept_[layer]) {
      network_.forward(tape, place.op, place.op + kLayerOps);
    } else {
      tape.values[place.out] = tape.values[place.in];
    }
  }

  const Network& network_;
  const std::vector<EncoderLayer>& layers_;
  const Tokens& tokens_;
  const Objective& objective_;
  size_t threads_;
  std::vector<Chunk> chunks_;
  std::vector<std::vector<float>> exact_;  // by chunk: the objective's value in the whole model
  std::vector<bool> kept_;
};

}  // namespace

std::vector<bool> choose_layers(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
                                const Objective& objective, uint32_t keep, size_t threads, const Fraction& progress) {
  Depth depth(network, layers, tokens, objective, threads);
  const size_t count = layers.size() - keep;
  for (size_t gone = 0; gone < count; ++gone) {
    depth.remove_one();
    progress(static_cast<double>(gone + 1) / static_cast<double>(count));
  }
  return depth.kept();
}

ModelIR without_layers(const ModelIR& model, const std::vector<EncoderLayer>& layers, const std::vector<bool>& kept) {
  ModelIR left = model;
  std::vector<bool> gone(model.program.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    if (kept[i]) {
      continue;
    }
    std::fill_n(gone.begin() + static_cast<std::ptrdiff_t>(layers[i].op), kLayerOps, true);
    // What made the layer's input makes its result.
    for (size_t op = 0; op < layers[i].op; ++op) {
      if (!gone[op]) {
        std::visit([&](auto& made) { made.out = made.out == layers[i].in ? layers[i].out : made.out; },
                   left.program[op]);
      }
    }
  }
  std::vector<Op> program;
  for (size_t op = 0; op < gone.size(); ++op) {
    if (!gone[op]) {
      program.push_back(std::move(left.program[op]));
    }
  }
  left.program = std::move(program);
  return cut_to_outputs(left);
}

}  // namespace kinglet::convert
