// Writes small models of every kind into the folder that is named: the first inputs of model_fuzz.
#include <cstdio>
#include <fstream>
#include <string>

#include "support/model_builder.h"

namespace {

using namespace kinglet;
using namespace kinglet::test;

bool write(const std::string& folder, const char* name, const ModelSpec& spec) {
  const Bytes bytes = build_model(spec);
  std::ofstream stream(folder + "/" + name, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return stream.good();
}

BertOptions tiny(bool int8, fmt::Task task) {
  BertOptions options;
  options.int8 = int8;
  options.layers = 1;
  options.heads = 1;
  options.head_dim = int8 ? 16 : 4;
  options.width = 4;
  options.inner = 4;
  options.vocabulary = 5;
  options.max_length = 4;
  options.task = task;
  return options;
}

AttentionSpec& attention(ModelSpec& spec) { return std::get<AttentionSpec>(spec.program.at(1).op); }

// Format version 2: bias, rotation and a window.
ModelSpec relative(bool int8) {
  ModelSpec spec = small_bert(tiny(int8, fmt::Task::embed));
  attention(spec).relative_bias = static_cast<int32_t>(spec.add_f32("bias", {1, 3}, {0.5f, 0.0f, -0.5f}));
  attention(spec).rotary = static_cast<int32_t>(spec.add_f32("rotary", {4, 2}, {1, 0, 0, 1, -1, 0, 0, -1}));
  attention(spec).window = 2;
  return spec;
}

// Format version 2: disentangled attention with a table of each kind.
ModelSpec disentangled() {
  ModelSpec spec = small_bert(tiny(false, fmt::Task::embed));
  DisentangledSpec terms;
  terms.content_to_position = static_cast<int32_t>(spec.add_f32("c", {2, 4}, std::vector<float>(8, 0.25f)));
  terms.position_to_content =
      static_cast<int32_t>(spec.add_tensor({"p", fmt::DType::s8, fmt::Layout::rows, {2, 4}, Bytes(8, 3), {}}));
  terms.position_to_content_scale = static_cast<int32_t>(spec.add_f32("p.scale", {2}, {0.5f, 0.125f}));
  terms.rows = {1, 0, 1};
  attention(spec).disentangled = {terms};
  return spec;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: model_seeds FOLDER\n");
    return 2;
  }
  ModelSpec everything = small_bert(tiny(true, fmt::Task::classify));
  everything.prompts = {{"query", "query: "}};
  everything.default_prompt = 0;
  everything.samples = {{"a", {1, 2}, {0, 1}, "logits", {0.5f, 0.25f}, 1}};
  everything.provenance = {"source", "0.1.0", {"quantize"}, {{"sst2", "accuracy", 0.9}}};
  everything.tokenizer = smallest_tokenizer;
  ModelSpec neighbours = small_bert(tiny(true, fmt::Task::embed));
  auto& tables = std::get<EmbedSpec>(neighbours.program.front().op).tables;
  tables.push_back(tables.front());
  tables.back().index = fmt::EmbedIndex::next_token;
  tables.push_back(tables.front());
  tables.back().index = fmt::EmbedIndex::previous_token;
  const std::string folder = arguments[1];
  return write(folder, "fp32-embed", small_bert(tiny(false, fmt::Task::embed))) &&
                 write(folder, "int8-embed", small_bert(tiny(true, fmt::Task::embed))) &&
                 write(folder, "int8-everything", everything) && write(folder, "int8-neighbours", neighbours) &&
                 write(folder, "fp32-relative", relative(false)) && write(folder, "int8-relative", relative(true)) &&
                 write(folder, "fp32-disentangled", disentangled())
             ? 0
             : 1;
}
