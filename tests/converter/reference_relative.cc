#include "reference_relative.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace kinglet::test {

namespace {

// ---- Random tensors of a size that keeps activations near 1 ----

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  void tensor(const std::string& name, std::vector<uint32_t> shape, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    size_t count = 1;
    for (const uint32_t size : shape) {
      count *= size;
    }
    RandomTensor made = {std::move(shape), {}};
    for (size_t i = 0; i < count; ++i) {
      made.values.push_back(normal(random_));
    }
    tensors[name] = std::move(made);
  }
  void linear(const std::string& name, uint32_t rows, uint32_t columns, bool biased = true) {
    tensor(name + ".weight", {rows, columns}, 0, 1 / std::sqrt(static_cast<float>(columns)));
    if (biased) {
      tensor(name + ".bias", {rows}, 0, 0.3f);
    }
  }
  void norm(const std::string& name, uint32_t width, bool biased = true) {
    tensor(name + ".weight", {width}, 1, 0.2f);
    if (biased) {
      tensor(name + ".bias", {width}, 0, 0.2f);
    }
  }

  Tensors tensors;

 private:
  std::mt19937 random_;
};

Json config_of(const char* type, const char* architecture, const RelativeShape& shape) {
  return {{"model_type", type},
          {"architectures", {architecture}},
          {"hidden_size", shape.hidden},
          {"num_attention_heads", shape.heads},
          {"num_hidden_layers", shape.layers},
          {"intermediate_size", shape.intermediate},
          {"vocab_size", shape.vocabulary},
          {"max_position_embeddings", shape.positions}};
}

void add_feed_forward(Maker& make, const std::string& layer, const RelativeShape& shape) {
  make.linear(layer + "intermediate.dense", shape.intermediate, shape.hidden);
  make.linear(layer + "output.dense", shape.hidden, shape.intermediate);
  make.norm(layer + "output.LayerNorm", shape.hidden);
}

// ---- Double precision ----

class Computer {
 public:
  explicit Computer(const RandomModel& model) : model_(model) {}

  uint32_t number(const char* field) const { return model_.config.at(field).get<uint32_t>(); }
  bool has(const std::string& name) const { return model_.tensors.count(name) != 0; }

  std::vector<double> row(const std::string& name, size_t index) const {
    const RandomTensor& tensor = model_.tensors.at(name);
    const size_t width = tensor.shape.back();
    const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(index * width);
    return {begin, begin + static_cast<std::ptrdiff_t>(width)};
  }
  Rows rows(const std::string& name) const {
    Rows all;
    for (uint32_t i = 0; i < model_.tensors.at(name).shape[0]; ++i) {
      all.push_back(row(name, i));
    }
    return all;
  }
  Rows lookup(const std::string& name, const std::vector<int32_t>& ids) const {
    Rows found;
    for (const int32_t id : ids) {
      found.push_back(row(name, static_cast<size_t>(id)));
    }
    return found;
  }
  // x·Wᵀ + b; no bias where there is no such tensor. Rows [first, first + count) of the matrix.
  Rows linear(const std::string& name, const Rows& x, size_t first = 0, size_t count = 0) const {
    count = count == 0 ? model_.tensors.at(name + ".weight").shape[0] : count;
    Rows out(x.size(), std::vector<double>(count));
    const std::vector<double> bias = has(name + ".bias") ? row(name + ".bias", 0) : std::vector<double>();
    for (size_t n = 0; n < count; ++n) {
      const auto weight = row(name + ".weight", first + n);
      for (size_t i = 0; i < x.size(); ++i) {
        out[i][n] = bias.empty() ? 0 : bias[first + n];
        for (size_t k = 0; k < weight.size(); ++k) {
          out[i][n] += x[i][k] * weight[k];
        }
      }
    }
    return out;
  }
  Rows norm(const std::string& name, Rows x, double epsilon) const {
    const auto weight = row(name + ".weight", 0);
    for (auto& row_values : x) {
      const auto width = static_cast<double>(row_values.size());
      double mean = 0, variance = 0;
      for (const double value : row_values) {
        mean += value / width;
      }
      for (const double value : row_values) {
        variance += (value - mean) * (value - mean) / width;
      }
      for (size_t j = 0; j < row_values.size(); ++j) {
        row_values[j] = (row_values[j] - mean) / std::sqrt(variance + epsilon) * weight[j] +
                        (has(name + ".bias") ? row(name + ".bias", 0)[j] : 0);
      }
    }
    return x;
  }
  // norm(x + down(gelu(up(x)))) under BERT's names.
  Rows feed_forward(const std::string& layer, const Rows& x, double epsilon) const;

 private:
  const RandomModel& model_;
};

Rows add(Rows a, const Rows& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < a[i].size(); ++j) {
      a[i][j] += b[i][j];
    }
  }
  return a;
}

Rows gelu(Rows x) {
  for (auto& row : x) {
    for (double& value : row) {
      value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
    }
  }
  return x;
}

Rows Computer::feed_forward(const std::string& layer, const Rows& x, double epsilon) const {
  const Rows down = linear(layer + "output.dense", gelu(linear(layer + "intermediate.dense", x)));
  return norm(layer + "output.LayerNorm", add(down, x), epsilon);
}

double dot(const std::vector<double>& a, const std::vector<double>& b, size_t begin, size_t end) {
  double sum = 0;
  for (size_t d = begin; d < end; ++d) {
    sum += a[d] * b[d];
  }
  return sum;
}

constexpr double kUnseen = -1e300;

// score(head, i, j, first column, last column) is what softmax sees; kUnseen leaves a key out.
Rows attend(const Rows& v, size_t heads, const std::function<double(size_t, size_t, size_t, size_t, size_t)>& score) {
  const size_t size = v[0].size() / heads;
  Rows out(v.size(), std::vector<double>(v[0].size()));
  for (size_t head = 0; head < heads; ++head) {
    for (size_t i = 0; i < v.size(); ++i) {
      std::vector<double> weights(v.size());
      double total = 0;
      for (size_t j = 0; j < v.size(); ++j) {
        const double s = score(head, i, j, head * size, (head + 1) * size);
        weights[j] = s == kUnseen ? 0 : std::exp(s);
        total += weights[j];
      }
      for (size_t j = 0; j < v.size(); ++j) {
        for (size_t d = head * size; d < (head + 1) * size; ++d) {
          out[i][d] += weights[j] / total * v[j][d];
        }
      }
    }
  }
  return out;
}

std::string layer_name(uint32_t index) {
  return "encoder.layer." + std::to_string(index) + ".";
}

}  // namespace

void RandomModel::write(const std::filesystem::path& folder) const {
  write_file(folder / "config.json", config.dump());
  write_safetensors(folder / "model.safetensors", tensors);
}

// ---- MPNet ----

RandomModel random_mpnet(const RelativeShape& shape, uint32_t seed) {
  Maker make(seed);
  make.tensor("embeddings.word_embeddings.weight", {shape.vocabulary, shape.hidden}, 0, 1);
  make.tensor("embeddings.position_embeddings.weight", {shape.positions, shape.hidden}, 0, 0.5f);
  make.norm("embeddings.LayerNorm", shape.hidden);
  make.tensor("encoder.relative_attention_bias.weight", {32, shape.heads}, 0, 2);
  for (uint32_t i = 0; i < shape.layers; ++i) {
    for (const char* name : {"q", "k", "v", "o"}) {
      make.linear(layer_name(i) + "attention.attn." + name, shape.hidden, shape.hidden);
    }
    make.norm(layer_name(i) + "attention.LayerNorm", shape.hidden);
    add_feed_forward(make, layer_name(i), shape);
  }
  return {config_of("mpnet", "MPNetModel", shape), make.tensors};
}

Rows reference_mpnet(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Computer compute(model);
  const size_t heads = compute.number("num_attention_heads");
  Rows x = compute.lookup("embeddings.word_embeddings.weight", ids);
  size_t counted = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    // create_position_ids_from_input_ids: token 1 is padding, which has its own row and is not counted.
    counted += ids[i] != 1;
    const auto position = compute.row("embeddings.position_embeddings.weight", ids[i] != 1 ? counted + 1 : 1);
    x[i] = add({x[i]}, {position})[0];
  }
  x = compute.norm("embeddings.LayerNorm", x, 1e-12);
  const Rows bias = compute.rows("encoder.relative_attention_bias.weight");
  const auto bucket = [](ptrdiff_t n) -> size_t {  // of the query's place less the key's
    const ptrdiff_t distance = n < 0 ? -n : n;
    const double place = 8 + std::log(static_cast<double>(distance) / 8) / std::log(16.0) * 8;
    const size_t small =
        distance < 8 ? static_cast<size_t>(distance) : std::min<size_t>(static_cast<size_t>(place), 15);
    return small + (n < 0 ? 16 : 0);
  };
  for (uint32_t layer = 0; layer < compute.number("num_hidden_layers"); ++layer) {
    const std::string name = layer_name(layer) + "attention.";
    const Rows q = compute.linear(name + "attn.q", x), k = compute.linear(name + "attn.k", x);
    const Rows attended = attend(compute.linear(name + "attn.v", x), heads,
                                 [&](size_t head, size_t i, size_t j, size_t first, size_t last) {
                                   const auto distance = static_cast<ptrdiff_t>(i) - static_cast<ptrdiff_t>(j);
                                   return dot(q[i], k[j], first, last) / std::sqrt(static_cast<double>(last - first)) +
                                          bias[bucket(distance)][head];
                                 });
    x = compute.norm(name + "LayerNorm", add(compute.linear(name + "attn.o", attended), x), 1e-12);
    x = compute.feed_forward(layer_name(layer), x, 1e-12);
  }
  return x;
}

// ---- ModernBERT ----

RandomModel random_modernbert(const RelativeShape& shape, bool biased, uint32_t local, uint32_t seed) {
  Maker make(seed);
  make.tensor("model.embeddings.tok_embeddings.weight", {shape.vocabulary, shape.hidden}, 0, 1);
  make.norm("model.embeddings.norm", shape.hidden, biased);
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    if (i != 0) {
      make.norm(layer + "attn_norm", shape.hidden, biased);
    }
    make.linear(layer + "attn.Wqkv", 3 * shape.hidden, shape.hidden, biased);
    make.linear(layer + "attn.Wo", shape.hidden, shape.hidden, biased);
    make.norm(layer + "mlp_norm", shape.hidden, biased);
    make.linear(layer + "mlp.Wi", 2 * shape.intermediate, shape.hidden, biased);
    make.linear(layer + "mlp.Wo", shape.hidden, shape.intermediate, biased);
  }
  make.norm("model.final_norm", shape.hidden, biased);
  RandomModel model = {config_of("modernbert", "ModernBertModel", shape), make.tensors};
  model.config["local_attention"] = local;
  model.config["global_attn_every_n_layers"] = 2;
  for (const char* field : {"norm_bias", "attention_bias", "mlp_bias"}) {
    model.config[field] = biased;
  }
  return model;
}

Rows reference_modernbert(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Computer compute(model);
  const size_t heads = compute.number("num_attention_heads"), hidden = compute.number("hidden_size");
  const size_t size = hidden / heads, inner = compute.number("intermediate_size");
  const auto reach = static_cast<ptrdiff_t>(compute.number("local_attention") / 2);
  Rows x = compute.norm("model.embeddings.norm", compute.lookup("model.embeddings.tok_embeddings.weight", ids), 1e-5);
  const auto turned = [&](Rows rows, double theta) {
    for (size_t position = 0; position < rows.size(); ++position) {
      for (size_t column = 0; column < hidden; column += size) {
        for (size_t t = 0; t < size / 2; ++t) {
          const double angle =
              static_cast<double>(position) / std::pow(theta, 2 * static_cast<double>(t) / static_cast<double>(size));
          double &low = rows[position][column + t], &high = rows[position][column + size / 2 + t];
          const double a = low, b = high;
          low = a * std::cos(angle) - b * std::sin(angle);
          high = b * std::cos(angle) + a * std::sin(angle);
        }
      }
    }
    return rows;
  };
  for (uint32_t layer = 0; layer < compute.number("num_hidden_layers"); ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    const bool local = layer % compute.number("global_attn_every_n_layers") != 0;
    const Rows in = layer == 0 ? x : compute.norm(name + "attn_norm", x, 1e-5);
    const double theta = local ? 10000 : 160000;
    const Rows q = turned(compute.linear(name + "attn.Wqkv", in, 0, hidden), theta);
    const Rows k = turned(compute.linear(name + "attn.Wqkv", in, hidden, hidden), theta);
    const Rows attended = attend(compute.linear(name + "attn.Wqkv", in, 2 * hidden, hidden), heads,
                                 [&](size_t, size_t i, size_t j, size_t first, size_t last) {
                                   const auto distance = static_cast<ptrdiff_t>(i) - static_cast<ptrdiff_t>(j);
                                   return local && (distance > reach || distance < -reach)
                                              ? kUnseen
                                              : dot(q[i], k[j], first, last) / std::sqrt(static_cast<double>(size));
                                 });
    x = add(x, compute.linear(name + "attn.Wo", attended));
    const Rows normed = compute.norm(name + "mlp_norm", x, 1e-5);
    Rows gated = gelu(compute.linear(name + "mlp.Wi", normed, 0, inner));
    const Rows gate = compute.linear(name + "mlp.Wi", normed, inner, inner);
    for (size_t i = 0; i < gated.size(); ++i) {
      for (size_t j = 0; j < inner; ++j) {
        gated[i][j] *= gate[i][j];
      }
    }
    x = add(x, compute.linear(name + "mlp.Wo", gated));
  }
  return compute.norm("model.final_norm", x, 1e-5);
}

// ---- DeBERTa ----

namespace {

void add_deberta(Maker& make, const DebertaShape& shape, uint32_t span) {
  make.tensor("deberta.embeddings.word_embeddings.weight", {shape.vocabulary, shape.embedding}, 0, 1);
  if (shape.position_biased) {
    make.tensor("deberta.embeddings.position_embeddings.weight", {shape.positions, shape.embedding}, 0, 0.5f);
  }
  if (shape.types > 0) {
    make.tensor("deberta.embeddings.token_type_embeddings.weight", {shape.types, shape.embedding}, 0, 0.5f);
  }
  if (shape.embedding != shape.hidden) {
    make.linear("deberta.embeddings.embed_proj", shape.hidden, shape.embedding, false);
  }
  make.norm("deberta.embeddings.LayerNorm", shape.hidden);
  make.tensor("deberta.encoder.rel_embeddings.weight", {2 * span, shape.hidden}, 0, 1);
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "deberta." + layer_name(i);
    make.linear(layer + "attention.output.dense", shape.hidden, shape.hidden);
    make.norm(layer + "attention.output.LayerNorm", shape.hidden);
    add_feed_forward(make, layer, shape);
  }
}

Json deberta_config(const char* type, const char* architecture, const DebertaShape& shape) {
  Json config = config_of(type, architecture, shape);
  Json terms = Json::array();
  if (shape.p2c) {
    terms.push_back("p2c");
  }
  if (shape.c2p) {
    terms.push_back("c2p");
  }
  config["relative_attention"] = true;
  config["pos_att_type"] = terms;
  config["position_biased_input"] = shape.position_biased;
  config["type_vocab_size"] = shape.types;
  config["embedding_size"] = shape.embedding;
  config["max_relative_positions"] = shape.farthest == 0 ? Json(-1) : Json(shape.farthest);
  return config;
}

uint32_t farthest_of(const DebertaShape& shape) {
  return shape.farthest == 0 ? shape.positions : shape.farthest;
}

}  // namespace

RandomModel random_deberta_v2(const DebertaShape& shape, uint32_t seed) {
  Maker make(seed);
  add_deberta(make, shape, shape.buckets != 0 ? shape.buckets : farthest_of(shape));
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string self = "deberta." + layer_name(i) + "attention.self.";
    for (const char* name : {"query_proj", "key_proj", "value_proj"}) {
      make.linear(self + name, shape.hidden, shape.hidden);
    }
    if (!shape.shared && shape.c2p) {
      make.linear(self + "pos_key_proj", shape.hidden, shape.hidden);
    }
    if (!shape.shared && shape.p2c) {
      make.linear(self + "pos_query_proj", shape.hidden, shape.hidden);
    }
  }
  if (shape.normed) {
    make.norm("deberta.encoder.LayerNorm", shape.hidden);
  }
  if (shape.kernel != 0) {
    make.tensor("deberta.encoder.conv.conv.weight", {shape.hidden, shape.hidden / shape.groups, shape.kernel}, 0, 0.1f);
    make.tensor("deberta.encoder.conv.conv.bias", {shape.hidden}, 0, 0.3f);
    make.norm("deberta.encoder.conv.LayerNorm", shape.hidden);
  }
  RandomModel model = {deberta_config("deberta-v2", "DebertaV2Model", shape), make.tensors};
  model.config["position_buckets"] = shape.buckets == 0 ? Json(-1) : Json(shape.buckets);
  model.config["share_att_key"] = shape.shared;
  model.config["norm_rel_ebd"] = shape.normed ? "layer_norm" : "none";
  model.config["conv_kernel_size"] = shape.kernel;
  model.config["conv_groups"] = shape.groups;
  return model;
}

RandomModel random_deberta_v1(const DebertaShape& shape, uint32_t seed) {
  Maker make(seed);
  add_deberta(make, shape, farthest_of(shape));
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string self = "deberta." + layer_name(i) + "attention.self.";
    make.linear(self + "in_proj", 3 * shape.hidden, shape.hidden, false);
    make.tensor(self + "q_bias", {shape.hidden}, 0, 0.3f);
    make.tensor(self + "v_bias", {shape.hidden}, 0, 0.3f);
    if (shape.c2p) {
      make.linear(self + "pos_proj", shape.hidden, shape.hidden, false);
    }
    if (shape.p2c) {
      make.linear(self + "pos_q_proj", shape.hidden, shape.hidden);
    }
  }
  return {deberta_config("deberta", "DebertaModel", shape), make.tensors};
}

Rows reference_deberta(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Computer compute(model);
  const bool v2 = model.config.at("model_type") == "deberta-v2";
  const size_t heads = compute.number("num_attention_heads"), hidden = compute.number("hidden_size");
  const size_t size = hidden / heads;
  const std::string root = "deberta.";

  Rows x = compute.lookup(root + "embeddings.word_embeddings.weight", ids);
  for (size_t i = 0; i < x.size(); ++i) {
    if (model.config.at("position_biased_input").get<bool>()) {
      x[i] = add({x[i]}, {compute.row(root + "embeddings.position_embeddings.weight", i)})[0];
    }
    if (compute.number("type_vocab_size") > 0) {
      x[i] = add({x[i]}, {compute.row(root + "embeddings.token_type_embeddings.weight", 0)})[0];
    }
  }
  if (compute.has(root + "embeddings.embed_proj.weight")) {
    x = compute.linear(root + "embeddings.embed_proj", x);
  }
  x = compute.norm(root + "embeddings.LayerNorm", x, 1e-7);

  Rows relative = compute.rows(root + "encoder.rel_embeddings.weight");
  if (compute.has(root + "encoder.LayerNorm.weight")) {
    relative = compute.norm(root + "encoder.LayerNorm", relative, 1e-7);
  }
  const auto span = static_cast<ptrdiff_t>(relative.size() / 2);
  const int64_t buckets = v2 ? model.config.at("position_buckets").get<int64_t>() : -1;
  const int64_t given = model.config.at("max_relative_positions").get<int64_t>();
  const double farthest = given < 1 ? compute.number("max_position_embeddings") : static_cast<double>(given);
  const auto row_of = [&](size_t i, size_t j) {
    auto distance = static_cast<ptrdiff_t>(i) - static_cast<ptrdiff_t>(j);
    const auto middle = static_cast<double>(buckets / 2);
    const double far = std::fabs(static_cast<double>(distance));
    if (buckets > 0 && far > middle) {
      const double place =
          std::ceil(std::log(far / middle) / std::log((farthest - 1) / middle) * (middle - 1)) + middle;
      distance = static_cast<ptrdiff_t>(distance < 0 ? -place : place);
    }
    return static_cast<size_t>(std::clamp<ptrdiff_t>(distance + span, 0, 2 * span - 1));
  };
  bool c2p = false, p2c = false;
  for (const Json& term : model.config.at("pos_att_type")) {
    (term == "c2p" ? c2p : p2c) = true;
  }
  const double scale = std::sqrt(static_cast<double>(size) * (1 + (c2p ? 1 : 0) + (p2c ? 1 : 0)));

  for (uint32_t layer = 0; layer < compute.number("num_hidden_layers"); ++layer) {
    const std::string name = root + layer_name(layer) + "attention.", self = name + "self.";
    Rows q, k, v, position_keys, position_queries;
    if (v2) {
      const bool shared = model.config.at("share_att_key").get<bool>();
      q = compute.linear(self + "query_proj", x);
      k = compute.linear(self + "key_proj", x);
      v = compute.linear(self + "value_proj", x);
      position_keys = c2p ? compute.linear(self + (shared ? "key_proj" : "pos_key_proj"), relative) : Rows();
      position_queries = p2c ? compute.linear(self + (shared ? "query_proj" : "pos_query_proj"), relative) : Rows();
    } else {
      // Queries, keys and values of one head lie together.
      const Rows all = compute.linear(self + "in_proj", x);
      const auto q_bias = compute.row(self + "q_bias", 0), v_bias = compute.row(self + "v_bias", 0);
      for (const auto& row : all) {
        for (Rows* part : {&q, &k, &v}) {
          part->emplace_back(hidden);
        }
        for (size_t d = 0; d < hidden; ++d) {
          const size_t first = d / size * 3 * size + d % size;
          q.back()[d] = row[first] + q_bias[d];
          k.back()[d] = row[first + size];
          v.back()[d] = row[first + 2 * size] + v_bias[d];
        }
      }
      position_keys = c2p ? compute.linear(self + "pos_proj", relative) : Rows();
      position_queries = p2c ? compute.linear(self + "pos_q_proj", relative) : Rows();
    }
    const Rows attended = attend(v, heads, [&](size_t, size_t i, size_t j, size_t first, size_t last) {
      double score = dot(q[i], k[j], first, last);
      score += c2p ? dot(q[i], position_keys[row_of(i, j)], first, last) : 0;
      score += p2c ? dot(k[j], position_queries[row_of(i, j)], first, last) : 0;
      return score / scale;
    });
    const Rows in = x;
    x = compute.norm(name + "output.LayerNorm", add(compute.linear(name + "output.dense", attended), x), 1e-7);
    x = compute.feed_forward(root + layer_name(layer), x, 1e-7);
    if (layer == 0 && compute.has(root + "encoder.conv.conv.weight")) {
      const RandomTensor& weight = model.tensors.at(root + "encoder.conv.conv.weight");
      const auto bias = compute.row(root + "encoder.conv.conv.bias", 0);
      const size_t inner = weight.shape[1], kernel = weight.shape[2];
      Rows out(in.size(), std::vector<double>(hidden));
      for (size_t i = 0; i < in.size(); ++i) {
        for (size_t o = 0; o < hidden; ++o) {
          double sum = bias[o];
          for (size_t c = 0; c < inner; ++c) {
            for (size_t place = 0; place < kernel; ++place) {
              const size_t at = i + place;
              if (at >= kernel / 2 && at - kernel / 2 < in.size()) {
                sum += weight.values[(o * inner + c) * kernel + place] * in[at - kernel / 2][o / inner * inner + c];
              }
            }
          }
          out[i][o] = std::tanh(sum);
        }
      }
      x = compute.norm(root + "encoder.conv.LayerNorm", add(out, x), 1e-7);
    }
  }
  return x;
}

}  // namespace kinglet::test
