// Layer by layer: equations, choice, solution, and on with the new layer's results.
#include "prune/reconstruct.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"

namespace kinglet::convert {

namespace {

constexpr size_t kBlockTokens = 4096, kChunkTokens = 256;

// A residual branch: ops [begin, begin + 3) are what makes the inner value, the product and the norm.
struct Part {
  size_t begin;
  uint32_t in, inner, product, out, matrix;
};

Part attention_part(const ModelIR& model, const EncoderLayer& layer) {
  return {layer.op,     layer.in,    layer.attended, std::get<LinearOp>(model.program[layer.op + 1]).out,
          layer.middle, layer.output};
}
Part feed_forward_part(const ModelIR& model, const EncoderLayer& layer) {
  return {layer.op + 3, layer.middle, layer.activated, std::get<LinearOp>(model.program[layer.op + 4]).out,
          layer.out,    layer.down};
}

// The rows of one value for all texts.
struct Stream {
  size_t width = 0;
  std::vector<float> rows;
};

// Runs ops [begin, end) on texts [first, last): `in` holds the rows of all texts; the results' rows are written from
// `offset` tokens on.
struct Wanted {
  uint32_t value;
  std::vector<float>* rows;
};
void run_part(const Network& network, const Tokens& tokens, size_t first, size_t last, size_t begin, size_t end,
              uint32_t in, const Stream& from, size_t offset, const std::vector<Wanted>& wanted, size_t threads) {
  const std::vector<Chunk> chunks = split_texts(tokens, first, last, kChunkTokens);
  parallel_for(threads, chunks.size(), [&](size_t i) {
    Tape tape = network.tape(tokens, chunks[i].first, chunks[i].last, false);
    const float* rows = &from.rows[tokens.begins[chunks[i].first] * from.width];
    tape.values[in].assign(rows, rows + tape.rows() * from.width);
    network.forward(tape, begin, end);
    for (const Wanted& want : wanted) {
      const std::vector<float>& value = tape.values[want.value];
      const size_t width = network.model().values[want.value].width;
      std::copy(value.begin(), value.end(),
                want.rows->begin() + static_cast<std::ptrdiff_t>((tokens.begins[chunks[i].first] - offset) * width));
    }
  });
}

// The stream behind ops [begin, end), which read `in` and write `out`.
Stream run_through(const Network& network, const Tokens& tokens, size_t begin, size_t end, uint32_t in, uint32_t out,
                   const Stream& from, size_t threads) {
  Stream to = {from.width, std::vector<float>(from.rows.size())};
  run_part(network, tokens, 0, tokens.texts(), begin, end, in, from, 0, {{out, &to.rows}}, threads);
  return to;
}

std::vector<double> normalized(std::vector<double> metric, size_t size) {
  double trace = 0;
  for (size_t i = 0; i < size; ++i) {
    trace += metric[i * size + i];
  }
  for (double& x : metric) {
    x = trace > 0 ? x / trace : 0;
  }
  for (size_t i = 0; trace <= 0 && i < size; ++i) {
    metric[i * size + i] = 1 / static_cast<double>(size);
  }
  return metric;
}

std::vector<float> token_weights(const Branch& branch, double evenness) {
  const double mean =
      std::accumulate(branch.tokens.begin(), branch.tokens.end(), 0.0) / static_cast<double>(branch.tokens.size());
  std::vector<float> weights = branch.tokens;
  for (float& weight : weights) {
    weight += static_cast<float>(mean * evenness);
  }
  return weights;
}

// One pass over all texts: the equations of a part's last product, weighted, without ridge. `dense_in`, `pruned_in`:
// the streams before the part; `dense_out` receives the dense model's behind it.
class Equations {
 public:
  Equations(const Network& dense, const Network& pruned, const Tokens& tokens, size_t threads)
      : dense_(dense), pruned_(pruned), tokens_(tokens), threads_(threads) {}

  NormalEquations collect(const Part& part, const std::vector<float>& weights, const Stream& dense_in,
                          const Stream& pruned_in, Stream* dense_out) {
    const size_t hidden = dense_in.width, inner = pruned_.model().values[part.inner].width;
    NormalEquations equations(inner + 1, hidden);
    dense_out->width = hidden;
    dense_out->rows.resize(dense_in.rows.size());
    for (const Chunk& block : split_texts(tokens_, 0, tokens_.texts(), kBlockTokens)) {
      const size_t offset = tokens_.begins[block.first], count = tokens_.count(block.first, block.last);
      std::vector<float> products(count * hidden), inners(count * inner), outs(count * hidden);
      run_part(dense_, tokens_, block.first, block.last, part.begin, part.begin + 3, part.in, dense_in, offset,
               {{part.product, &products}, {part.out, &outs}}, threads_);
      std::copy(outs.begin(), outs.end(), dense_out->rows.begin() + static_cast<std::ptrdiff_t>(offset * hidden));
      run_part(pruned_, tokens_, block.first, block.last, part.begin, part.begin + 1, part.in, pruned_in, offset,
               {{part.inner, &inners}}, threads_);
      add_rows(inners, products, offset, count, weights, dense_in, pruned_in, &equations);
    }
    return equations;
  }

 private:
  void add_rows(const std::vector<float>& inners, const std::vector<float>& products, size_t offset, size_t count,
                const std::vector<float>& weights, const Stream& dense_in, const Stream& pruned_in,
                NormalEquations* equations) {
    const size_t hidden = dense_in.width, inner = equations->inputs - 1;
    std::vector<float> inputs, targets;
    size_t rows = 0;
    for (size_t row = 0; row < count; ++row) {
      if (weights[offset + row] <= 0) {
        continue;
      }
      ++rows;
      const float root = std::sqrt(weights[offset + row]);
      for (size_t j = 0; j < inner; ++j) {
        inputs.push_back(root * inners[row * inner + j]);
      }
      inputs.push_back(root);
      for (size_t j = 0; j < hidden; ++j) {
        const size_t place = (offset + row) * hidden + j;
        targets.push_back(root * (products[row * hidden + j] + dense_in.rows[place] - pruned_in.rows[place]));
      }
    }
    add_gram(inputs.data(), rows, inner + 1, equations->gram.data(), threads_);
    add_cross(inputs.data(), inner + 1, targets.data(), hidden, rows, equations->cross.data(), threads_);
  }

  const Network &dense_, &pruned_;
  const Tokens& tokens_;
  size_t threads_;
};

Stream embed(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens, size_t threads) {
  Stream stream;
  stream.width = network.model().values[layers.front().in].width;
  stream.rows.resize(tokens.ids.size() * stream.width);
  const std::vector<Chunk> chunks = split_texts(tokens, 0, tokens.texts(), kChunkTokens);
  parallel_for(threads, chunks.size(), [&](size_t i) {
    Tape tape = network.tape(tokens, chunks[i].first, chunks[i].last, false);
    network.forward(tape, 0, layers.front().op);
    const std::vector<float>& rows = tape.values[layers.front().in];
    std::copy(rows.begin(), rows.end(),
              stream.rows.begin() + static_cast<std::ptrdiff_t>(tokens.begins[chunks[i].first] * stream.width));
  });
  return stream;
}

// The inputs that remain once enough groups are gone that at most `count` are left, ascending.
std::vector<uint32_t> remaining(const Removal& removal, uint32_t inputs, uint32_t count) {
  std::vector<bool> gone(inputs);
  uint32_t left = inputs;
  for (size_t i = 0; i < removal.groups.size() && left > count; ++i) {
    for (const uint32_t input : removal.groups[i]) {
      gone[input] = true;
      --left;
    }
  }
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < inputs; ++i) {
    if (!gone[i]) {
      kept.push_back(i);
    }
  }
  return kept;
}

// The rows of a matrix and its bias.
void keep_rows(Network& network, uint32_t matrix, const std::vector<uint32_t>& rows, size_t columns) {
  std::vector<float> weight, bias;
  for (const uint32_t row : rows) {
    const float* from = &network.weight(matrix)[row * columns];
    weight.insert(weight.end(), from, from + columns);
    bias.push_back(network.bias(matrix)[row]);
  }
  network.set_matrix(matrix, static_cast<uint32_t>(rows.size()), static_cast<uint32_t>(columns), std::move(weight),
                     std::move(bias));
}

// The columns of a matrix.
void keep_columns(Network& network, uint32_t matrix, const std::vector<uint32_t>& columns) {
  const std::vector<float> bias = network.bias(matrix);
  const size_t width = network.weight(matrix).size() / bias.size();
  std::vector<float> weight;
  for (size_t row = 0; row < bias.size(); ++row) {
    for (const uint32_t column : columns) {
      weight.push_back(network.weight(matrix)[row * width + column]);
    }
  }
  network.set_matrix(matrix, static_cast<uint32_t>(bias.size()), static_cast<uint32_t>(columns.size()),
                     std::move(weight), bias);
}

std::vector<uint32_t> pick(const std::vector<uint32_t>& names, const std::vector<uint32_t>& places) {
  std::vector<uint32_t> picked;
  for (const uint32_t place : places) {
    picked.push_back(names[place]);
  }
  return picked;
}

}  // namespace

Kept keep_all(const std::vector<EncoderLayer>& layers) {
  Kept kept;
  for (const EncoderLayer& layer : layers) {
    kept.heads.emplace_back(layer.heads);
    kept.neurons.emplace_back(layer.neurons);
    std::iota(kept.heads.back().begin(), kept.heads.back().end(), 0u);
    std::iota(kept.neurons.back().begin(), kept.neurons.back().end(), 0u);
  }
  return kept;
}

Orders order_removals(const Network& network, const std::vector<EncoderLayer>& layers, const Sizes& present,
                      const Tokens& tokens, const Importance& importance, const Fitting& fitting, uint32_t tile,
                      const Fraction& progress) {
  Stream stream = embed(network, layers, tokens, fitting.threads);
  const size_t hidden = stream.width;
  Orders orders = {std::vector<Removal>(layers.size()), std::vector<Removal>(layers.size())};
  const ModelIR& model = network.model();
  Equations equations(network, network, tokens, fitting.threads);
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!present.has_layer(i)) {
      continue;
    }
    const Part parts[2] = {attention_part(model, layers[i]), feed_forward_part(model, layers[i])};
    const Branch* branches[2] = {&importance.attention[i], &importance.feed_forward[i]};
    std::vector<NormalEquations> collected;
    for (size_t k = 0; k < 2; ++k) {
      Stream next;
      collected.push_back(
          equations.collect(parts[k], token_weights(*branches[k], fitting.evenness), stream, stream, &next));
      add_ridge(collected[k], network.weight(parts[k].matrix), network.bias(parts[k].matrix), fitting.ridge);
      stream = std::move(next);
    }
    parallel_for(fitting.threads, 2, [&](size_t k) {
      const std::vector<double> metric = normalized(branches[k]->outputs, hidden);
      if (k == 0) {
        orders.attention[i] = order_blocks(collected[k], metric, layers[i].head_dim);
      } else {
        orders.feed_forward[i] = order_inputs(collected[k], metric, tile);
      }
    });
    progress(static_cast<double>(i + 1) / static_cast<double>(layers.size()));
  }
  return orders;
}

namespace {

// Two models side by side on their way up: the dense one's residual stream and the pruned one's.
class Surgery {
 public:
  Surgery(const Network& dense, Network& pruned, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
          const Fitting& fitting)
      : dense_(dense),
        pruned_(pruned),
        tokens_(tokens),
        fitting_(fitting),
        equations_(dense, pruned, tokens, fitting.threads),
        dense_stream_(embed(dense, layers, tokens, fitting.threads)),
        stream_(dense_stream_) {}

  void skip(const EncoderLayer& layer) {
    dense_stream_ = run_through(dense_, tokens_, layer.op, layer.op + kLayerOps, layer.in, layer.out, dense_stream_,
                                fitting_.threads);
    same_ = false;
  }

  // Solves the part's last product for `count` of its inputs, in groups of `size` neighbours or of any. Returns which
  // they are; what makes them must be made to fit before advance().
  std::vector<uint32_t> cut(const Part& part, const Branch& branch, uint32_t count, uint32_t size, bool neighbours) {
    const auto inputs = static_cast<uint32_t>(pruned_.model().values[part.inner].width);
    std::vector<uint32_t> left(inputs);
    std::iota(left.begin(), left.end(), 0u);
    same_ = same_ && count == inputs;
    if (same_) {
      return left;
    }
    NormalEquations system =
        equations_.collect(part, token_weights(branch, fitting_.evenness), dense_stream_, stream_, &next_dense_);
    add_ridge(system, pruned_.weight(part.matrix), pruned_.bias(part.matrix), fitting_.ridge);
    if (count < inputs) {
      const std::vector<double> metric = normalized(branch.outputs, stream_.width);
      left = remaining(neighbours ? order_blocks(system, metric, size) : order_inputs(system, metric, size), inputs,
                       count);
    }
    Solution solution = solve_kept(system, left);
    pruned_.set_matrix(part.matrix, static_cast<uint32_t>(stream_.width), static_cast<uint32_t>(left.size()),
                       std::move(solution.weight), std::move(solution.bias));
    return left;
  }

  void advance(const Part& part) {
    stream_ = run_through(pruned_, tokens_, part.begin, part.begin + 3, part.in, part.out, stream_, fitting_.threads);
    dense_stream_ = same_ ? stream_ : std::move(next_dense_);
  }

 private:
  const Network& dense_;
  Network& pruned_;
  const Tokens& tokens_;
  const Fitting& fitting_;
  Equations equations_;
  Stream dense_stream_, stream_, next_dense_;
  bool same_ = true;  // nothing has changed so far
};

}  // namespace

void prune_to(const Sizes& sizes, const Network& dense, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
              const Importance& importance, const Fitting& fitting, uint32_t tile, Network& pruned, Kept& kept,
              const Fraction& progress) {
  Surgery surgery(dense, pruned, layers, tokens, fitting);
  for (size_t i = 0; i < layers.size(); ++i) {
    const EncoderLayer& layer = layers[i];
    if (!sizes.has_layer(i)) {
      surgery.skip(layer);
      kept.heads[i].clear();
      kept.neurons[i].clear();
      continue;
    }
    const size_t hidden = dense.model().values[layer.in].width;
    const Part attention = attention_part(dense.model(), layer);
    std::vector<uint32_t> inputs =
        surgery.cut(attention, importance.attention[i], sizes.heads[i] * layer.head_dim, layer.head_dim, true);
    std::vector<uint32_t> heads;
    for (size_t j = 0; j < inputs.size(); j += layer.head_dim) {
      heads.push_back(inputs[j] / layer.head_dim);
    }
    for (const uint32_t matrix : {layer.query, layer.key, layer.value}) {
      keep_rows(pruned, matrix, inputs, hidden);
    }
    pruned.keep_heads(layer.op, heads);
    kept.heads[i] = pick(kept.heads[i], heads);
    surgery.advance(attention);

    const Part feed_forward = feed_forward_part(dense.model(), layer);
    inputs = surgery.cut(feed_forward, importance.feed_forward[i], sizes.neurons[i], tile, false);
    keep_rows(pruned, layer.up, inputs, hidden);
    kept.neurons[i] = pick(kept.neurons[i], inputs);
    surgery.advance(feed_forward);
    progress(static_cast<double>(i + 1) / static_cast<double>(layers.size()));
  }
}

void cut_layer(Network& network, const EncoderLayer& layer, const std::vector<uint32_t>& heads,
               const std::vector<uint32_t>& neurons) {
  const size_t hidden = network.model().values[layer.in].width;
  std::vector<uint32_t> columns;
  for (const uint32_t head : heads) {
    for (uint32_t i = 0; i < layer.head_dim; ++i) {
      columns.push_back(head * layer.head_dim + i);
    }
  }
  for (const uint32_t matrix : {layer.query, layer.key, layer.value}) {
    keep_rows(network, matrix, columns, hidden);
  }
  network.keep_heads(layer.op, heads);
  keep_columns(network, layer.output, columns);
  keep_rows(network, layer.up, neurons, hidden);
  keep_columns(network, layer.down, neurons);
}

}  // namespace kinglet::convert
