// kinglet inspect: what is inside a model file, read through the runtime's own loader.
#include <CLI/CLI.hpp>
#include <cmath>
#include <map>

#include "cli/command.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "cpu/cpu.h"
#include "model/model.h"

namespace kinglet::cli {

namespace {

std::string_view view(const flatbuffers::String* string) {
  return string != nullptr ? std::string_view(string->c_str(), string->size()) : std::string_view();
}

template <typename Vector>
uint32_t count(const Vector* vector) {
  return vector != nullptr ? vector->size() : 0;
}

std::string shape_of(const fmt::Tensor& tensor, const char* separator) {
  std::string shape;
  for (const uint32_t extent : *tensor.shape()) {
    shape += (shape.empty() ? "" : separator) + std::to_string(extent);
  }
  return shape;
}

uint64_t bytes_of(const fmt::Tensor& tensor) {
  uint64_t bytes = 0;
  tensor_bytes(tensor, &bytes);  // true for every tensor of a model that could be opened
  return bytes;
}

// One step of the program: what it is and which values it reads and writes.
struct StepText {
  std::string op;
  std::string details;
  std::vector<uint32_t> in;
  uint32_t out = 0;
};

// What attention adds for distances.
std::string relative_terms(const fmt::Attention& op) {
  std::string text;
  if (op.rotary() >= 0) {
    text += ", rotary";
  }
  if (op.relative_bias() >= 0) {
    text += ", relative bias";
  }
  if (op.window() != 0) {
    text += format(", window of %u", op.window());
  }
  if (const fmt::Disentangled* terms = op.disentangled()) {
    text += ", disentangled";
    text += terms->content_to_position() >= 0 ? " c2p" : "";
    text += terms->position_to_content() >= 0 ? " p2c" : "";
  }
  return text;
}

class Inspection {
 public:
  explicit Inspection(const Model& model) : model_(model), table_(model.table()) {
    for (const fmt::Step* step : *table_.program()) {
      steps_.push_back(read_step(*step));
    }
    for (uint32_t id = 0; id < table_.tensors()->size(); ++id) {
      const auto part = part_.find(id);
      part_bytes_[part != part_.end() ? part->second : "other"] += bytes_of(*table_.tensors()->Get(id));
    }
  }

  std::string for_people(const std::string& path) const;
  std::string json(const std::string& path) const;

 private:
  StepText read_step(const fmt::Step& step);
  std::string matrix(uint32_t id, const char* part);
  std::string norm(int32_t id);
  void claim(int64_t tensor, const char* part) {
    if (tensor >= 0) {
      part_.emplace(static_cast<uint32_t>(tensor), part);
    }
  }
  std::string tokenizer_kind() const;

  const Model& model_;
  const fmt::Model& table_;
  std::vector<StepText> steps_;
  std::map<uint32_t, std::string> part_;           // of each tensor
  std::map<std::string, uint64_t> part_bytes_;
};

// "name [n, k] int8" of a matrix, whose tensors become part of `part`.
std::string Inspection::matrix(uint32_t id, const char* part) {
  const fmt::Matrix& matrix = *table_.matrices()->Get(id);
  const fmt::Tensor& weight = *table_.tensors()->Get(matrix.weight());
  claim(matrix.weight(), part);
  for (const int32_t other : {matrix.scale(), matrix.column_sum(), matrix.bias(), matrix.input_scale()}) {
    claim(other, part);
  }
  return shorten(view(weight.name()), 60) + " [" + shape_of(weight, " x ") + "] " +
         (weight.dtype() == fmt::DType::s8 ? "int8" : "fp32") + (matrix.input_scale() >= 0 ? " smoothed" : "");
}

std::string Inspection::norm(int32_t id) {
  if (id < 0) {
    return "no norm";
  }
  const fmt::Norm& norm = *table_.norms()->Get(static_cast<uint32_t>(id));
  claim(norm.weight(), "norms");
  claim(norm.bias(), "norms");
  return norm.kind() == fmt::NormKind::layer ? format("layer norm, epsilon %g", static_cast<double>(norm.epsilon()))
                                             : "affine norm";
}

StepText Inspection::read_step(const fmt::Step& step) {
  StepText text;
  switch (step.op_type()) {
    case fmt::Op::Embed: {
      const fmt::Embed& op = *step.op_as_Embed();
      text.op = "embed";
      for (const fmt::EmbedTable* table : *op.tables()) {
        const fmt::Tensor& tensor = *table_.tensors()->Get(table->table());
        claim(table->table(), "embeddings");
        claim(table->scale(), "embeddings");
        text.details += std::string(fmt::EnumNameEmbedIndex(table->index())) + " " +
                        shorten(view(tensor.name()), 60) + " [" + shape_of(tensor, " x ") + "] " +
                        (tensor.dtype() == fmt::DType::s8 ? "int8" : "fp32") +
                        (table->column() == 0 ? "" : " from column " + std::to_string(table->column()) + " on") + "; ";
      }
      text.details += norm(op.norm());
      text.out = op.out();
      break;
    }
    case fmt::Op::Linear: {
      const fmt::Linear& op = *step.op_as_Linear();
      text.op = "linear";
      text.details = matrix(op.matrix(), "linear");
      if (op.gate() >= 0) {
        text.details += ", gate " + matrix(static_cast<uint32_t>(op.gate()), "linear");
      }
      if (op.activation() != fmt::Activation::none) {
        text.details += std::string(", ") + fmt::EnumNameActivation(op.activation());
      }
      text.in = {op.in()};
      text.out = op.out();
      break;
    }
    case fmt::Op::Attention: {
      const fmt::Attention& op = *step.op_as_Attention();
      text.op = "attention";
      text.details = format("%u heads of %u, %s; ", op.heads(), op.head_dim(), op.quantized() ? "int8" : "fp32") +
                     matrix(op.query(), "attention") + ", " + matrix(op.key(), "attention") + ", " +
                     matrix(op.value(), "attention") + relative_terms(op);
      text.in = {op.query_in()};
      for (const uint32_t value : {op.key_in(), op.value_in()}) {
        if (value != op.query_in()) {
          text.in.push_back(value);
        }
      }
      text.out = op.out();
      break;
    }
    case fmt::Op::AddNorm: {
      const fmt::AddNorm& op = *step.op_as_AddNorm();
      text.op = "add_norm";
      text.details = norm(op.norm());
      text.in = {op.in()};
      if (op.residual() >= 0) {
        text.in.push_back(static_cast<uint32_t>(op.residual()));
      }
      text.out = op.out();
      break;
    }
    case fmt::Op::Pool: {
      const fmt::Pool& op = *step.op_as_Pool();
      text.op = "pool";
      text.details = fmt::EnumNamePoolKind(op.kind());
      text.in = {op.in()};
      text.out = op.out();
      break;
    }
    case fmt::Op::Normalize: {
      const fmt::Normalize& op = *step.op_as_Normalize();
      text.op = "normalize";
      text.in = {op.in()};
      text.out = op.out();
      break;
    }
    case fmt::Op::Neighbours: {
      const fmt::Neighbours& op = *step.op_as_Neighbours();
      text.op = "neighbours";
      text.details = format("%u before, %u after", op.before(), op.after());
      text.in = {op.in()};
      text.out = op.out();
      break;
    }
    case fmt::Op::NONE:
      break;
  }
  return text;
}

std::string Inspection::tokenizer_kind() const {
  return table_.tokenizer() != nullptr ? fmt::EnumNameTokenModel(table_.tokenizer()->model_type()) : "";
}

const char* kernel_path() {
  const kernels::Kernels* kernels = kernels_in_use();  // a model could be opened, so there are some
  return kernels != nullptr ? kernels::isa_name(kernels->isa) : "none";
}

std::string Inspection::for_people(const std::string& path) const {
  std::string out;
  const auto row = [&](const char* name, const std::string& value) { out += format("%-12s ", name) + value + "\n"; };
  const auto line = [](const flatbuffers::String* string) { return shorten(view(string), 200); };
  row("file", shorten(path, SIZE_MAX) + ", " + group_digits(model_.file_size()) + " bytes");
  row("model", line(table_.architecture()) + ", " + line(table_.precision()));
  std::string task = fmt::EnumNameTask(table_.task());
  if (table_.embedding() >= 0) {
    task += format(", %u numbers",
                   table_.values()->Get(static_cast<uint32_t>(table_.embedding()))->width());
  }
  if (table_.logits() >= 0) {
    task += std::string(", ") + fmt::EnumNameScoring(table_.scoring()) + " scores";
  }
  row("task", task);
  row("limits", format("%u tokens; token ids below %u, type ids below %u, %u positions", table_.max_length(),
                       table_.vocabulary(), table_.type_count(), table_.max_positions()));
  row("tokenizer", table_.tokenizer() != nullptr
                       ? tokenizer_kind() + ", " + group_digits(table_.tokenizer()->token_count()) + " tokens"
                       : "none");
  for (uint32_t i = 0; i < count(table_.labels()); ++i) {
    row(i == 0 ? "labels" : "", format("%u ", i) + line(table_.labels()->Get(i)));
  }
  for (uint32_t i = 0; i < count(table_.prompts()); ++i) {
    const fmt::Prompt& prompt = *table_.prompts()->Get(i);
    row(i == 0 ? "prompts" : "", line(prompt.name()) + ": \"" + line(prompt.text()) + "\"" +
                                     (table_.default_prompt() == static_cast<int32_t>(i) ? " (default)" : ""));
  }
  for (uint32_t i = 0; i < table_.outputs()->size(); ++i) {
    const fmt::Output& output = *table_.outputs()->Get(i);
    const fmt::Value& value = *table_.values()->Get(output.value());
    row(i == 0 ? "outputs" : "",
        line(output.name()) + format(": %u per %s", output.column() >= 0 ? 1 : value.width(),
                                     value.extent() == fmt::Extent::tokens ? "token" : "sequence"));
  }
  row("self-test", format("%u samples", count(table_.samples())));
  if (const fmt::Provenance* provenance = table_.provenance()) {
    row("source", line(provenance->source()));
    row("converter", line(provenance->converter()));
    for (uint32_t i = 0; i < count(provenance->passes()); ++i) {
      row(i == 0 ? "passes" : "", line(provenance->passes()->Get(i)));
    }
    for (uint32_t i = 0; i < count(provenance->accuracy()); ++i) {
      const fmt::Accuracy& accuracy = *provenance->accuracy()->Get(i);
      row(i == 0 ? "accuracy" : "",
          line(accuracy.data()) + ": " + line(accuracy.metric()) + format(" %.4f", accuracy.value()));
    }
  }
  row("kernel path", kernel_path());

  out += "\nweights by part\n";
  uint64_t all = 0;
  for (const auto& [part, bytes] : part_bytes_) {
    all += bytes;
  }
  for (const auto& [part, bytes] : part_bytes_) {
    out += format("  %-11s %14s bytes  %5.1f %%\n", part.c_str(), group_digits(bytes).c_str(),
                  100.0 * static_cast<double>(bytes) / static_cast<double>(all));
  }

  out += "\nprogram (#n are values: t of one row per token, s of one per sequence)\n";
  for (size_t i = 0; i < steps_.size(); ++i) {
    const StepText& step = steps_[i];
    std::string in;
    for (const uint32_t value : step.in) {
      in += format("%s#%u", in.empty() ? "" : " ", value);
    }
    const fmt::Value& value = *table_.values()->Get(step.out);
    out += format("  %3zu  %-9s  %s%s#%u %c%u  ", i, step.op.c_str(), in.c_str(), in.empty() ? "-> " : " -> ",
                  step.out, value.extent() == fmt::Extent::tokens ? 't' : 's', value.width()) +
           step.details + "\n";
  }

  out += "\ntensors\n";
  for (const fmt::Tensor* tensor : *table_.tensors()) {
    out += format("  %-4s %-8s  %-14s %12s  ", fmt::EnumNameDType(tensor->dtype()),
                  fmt::EnumNameLayout(tensor->layout()), shape_of(*tensor, " x ").c_str(),
                  group_digits(bytes_of(*tensor)).c_str()) +
           line(tensor->name()) + "\n";
  }
  return out;
}

// Builds "{…}" and "[…]" piece by piece.
class Json {
 public:
  explicit Json(std::string& out) : out_(out) {}
  void open(char bracket) {
    comma();
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void key(const char* name) {
    comma();
    append_json(out_, name);
    out_ += ':';
    first_ = true;
  }
  void text(std::string_view value) {
    comma();
    append_json(out_, value);
  }
  void raw(const std::string& value) {  // a number, true, false or null
    comma();
    out_ += value;
  }
  void field(const char* name, std::string_view value) {
    key(name);
    text(value);
  }
  void field(const char* name, uint64_t value) {
    key(name);
    raw(std::to_string(value));
  }

 private:
  void comma() {
    if (!first_) {
      out_ += ',';
    }
    first_ = false;
  }
  std::string& out_;
  bool first_ = true;
};

std::string Inspection::json(const std::string& path) const {
  std::string out;
  Json json(out);
  json.open('{');
  json.field("file", path);
  json.field("bytes", model_.file_size());
  json.field("architecture", view(table_.architecture()));
  json.field("precision", view(table_.precision()));
  json.field("task", fmt::EnumNameTask(table_.task()));
  json.field("scoring", fmt::EnumNameScoring(table_.scoring()));
  json.field("max_length", table_.max_length());
  json.field("max_positions", table_.max_positions());
  json.field("vocabulary", table_.vocabulary());
  json.field("type_count", table_.type_count());
  json.key("tokenizer");
  if (table_.tokenizer() != nullptr) {
    json.open('{');
    json.field("model", tokenizer_kind());
    json.field("tokens", table_.tokenizer()->token_count());
    json.close('}');
  } else {
    json.raw("null");
  }
  json.key("labels");
  json.open('[');
  for (uint32_t i = 0; i < count(table_.labels()); ++i) {
    json.text(view(table_.labels()->Get(i)));
  }
  json.close(']');
  json.key("prompts");
  json.open('[');
  for (uint32_t i = 0; i < count(table_.prompts()); ++i) {
    json.open('{');
    json.field("name", view(table_.prompts()->Get(i)->name()));
    json.field("text", view(table_.prompts()->Get(i)->text()));
    json.key("default");
    json.raw(table_.default_prompt() == static_cast<int32_t>(i) ? "true" : "false");
    json.close('}');
  }
  json.close(']');
  json.key("outputs");
  json.open('[');
  for (const fmt::Output* output : *table_.outputs()) {
    const fmt::Value& value = *table_.values()->Get(output->value());
    json.open('{');
    json.field("name", view(output->name()));
    json.field("rows", fmt::EnumNameExtent(value.extent()));
    json.field("width", output->column() >= 0 ? 1 : value.width());
    json.close('}');
  }
  json.close(']');
  json.field("samples", count(table_.samples()));
  json.key("provenance");
  json.open('{');
  if (const fmt::Provenance* provenance = table_.provenance()) {
    json.field("source", view(provenance->source()));
    json.field("converter", view(provenance->converter()));
    json.key("passes");
    json.open('[');
    for (uint32_t i = 0; i < count(provenance->passes()); ++i) {
      json.text(view(provenance->passes()->Get(i)));
    }
    json.close(']');
    json.key("accuracy");
    json.open('[');
    for (uint32_t i = 0; i < count(provenance->accuracy()); ++i) {
      const fmt::Accuracy& accuracy = *provenance->accuracy()->Get(i);
      json.open('{');
      json.field("data", view(accuracy.data()));
      json.field("metric", view(accuracy.metric()));
      json.key("value");
      std::string value;
      if (std::isfinite(accuracy.value())) {
        append_json_double(value, accuracy.value());
      } else {
        value = "null";
      }
      json.raw(value);
      json.close('}');
    }
    json.close(']');
  }
  json.close('}');
  json.field("kernel_path", kernel_path());
  json.key("parts");
  json.open('{');
  for (const auto& [part, bytes] : part_bytes_) {
    json.field(part.c_str(), bytes);
  }
  json.close('}');
  json.key("program");
  json.open('[');
  for (const StepText& step : steps_) {
    const fmt::Value& value = *table_.values()->Get(step.out);
    json.open('{');
    json.field("op", step.op);
    json.key("in");
    json.open('[');
    for (const uint32_t in : step.in) {
      json.raw(std::to_string(in));
    }
    json.close(']');
    json.field("out", step.out);
    json.field("rows", fmt::EnumNameExtent(value.extent()));
    json.field("width", value.width());
    json.field("details", step.details);
    json.close('}');
  }
  json.close(']');
  json.key("tensors");
  json.open('[');
  for (const fmt::Tensor* tensor : *table_.tensors()) {
    json.open('{');
    json.field("name", view(tensor->name()));
    json.field("dtype", fmt::EnumNameDType(tensor->dtype()));
    json.field("layout", fmt::EnumNameLayout(tensor->layout()));
    json.key("shape");
    json.raw("[" + shape_of(*tensor, ",") + "]");
    json.field("bytes", bytes_of(*tensor));
    json.close('}');
  }
  json.close(']');
  json.close('}');
  return out + "\n";
}

class InspectCommand : public Command {
 public:
  const char* name() const override { return "inspect"; }
  const char* summary() const override { return "Show what is inside a model file"; }
  const char* arguments() const override { return "M.kgl"; }
  const char* manual() const override {
    return "Opens the file with all checks and shows what it is for, its limits, labels, prompts, outputs, tokenizer\n"
           "and provenance, the kernel path that would run it here, weights by part, the program step by step, and\n"
           "every tensor. With --json the same as one object.\n"
           "\n"
           "Example:\n"
           "  kinglet inspect m.kgl";
  }
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "Print a JSON object"); }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    const std::string& path = arguments[0];
    Error error;
    const kernels::Kernels* kernels = nullptr;
    Model model;
    if (choose_kernels(&kernels, error) != KINGLET_OK || model.open_path(path.c_str(), error) != KINGLET_OK) {
      const std::string message = error.message;
      throw InputError(message.find(path) != std::string::npos ? message : path + ": " + message);
    }
    const Inspection inspection(model);
    output().write(json_ ? inspection.json(path) : inspection.for_people(path));
    output().flush();
    return kExitGood;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace kinglet::cli
