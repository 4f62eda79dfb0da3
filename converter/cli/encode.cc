// kinglet encode: the model's raw outputs under their Hugging Face names.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class EncodeCommand : public TaskCommand {
 public:
  const char* name() const override { return "encode"; }
  const char* summary() const override { return "Show the raw outputs of a model"; }
  const char* manual() const override {
    return "Runs the model on each text and prints its raw outputs under their Hugging Face names:\n"
           "last_hidden_state, pooler_output, logits, start_logits, …\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --jsonl each line is\n"
           "{\"text\":…}, {\"text\":…,\"pair\":…} or {\"ids\":[…],\"type_ids\":[…]} (special tokens included).\n"
           "\n"
           "Output: a line per output with its shape and range; an empty line after each text. With --json:\n"
           "  {\"outputs\":{NAME:{\"shape\":[…],\"data\":[…]}}}\n"
           "The shape has no batch dimension: [tokens, hidden], [labels], …; data is row by row. \"truncated\":true\n"
           "where the text was cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet encode m.kgl \"A small bird.\"\n"
           "  echo '{\"ids\":[101,1037,102]}' | kinglet encode m.kgl --jsonl --json";
  }

 protected:
  void prepare(const Model&, SessionOptions& options) override { options.raw_outputs = true; }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    std::vector<Input> inputs;
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
    }
    if (Result<void> result = session.encode(inputs.data(), inputs.size(), truncated.data()); !result) {
      return result;
    }
    outputs_.assign(requests.size(), {});
    for (size_t i = 0; i < requests.size(); ++i) {
      for (uint32_t o = 0; o < session.info().output_count; ++o) {
        Result<Output> output = session.output(i, o);
        if (!output) {
          return output.error();
        }
        if (Result<void> finite = check_finite(output->data, size(*output)); !finite) {
          return finite;
        }
        outputs_[i].push_back(*output);
      }
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    out += "\"outputs\":{";
    const char* comma = "";
    for (const Output& output : outputs_[i]) {
      out += comma;
      comma = ",";
      append_json(out, output.name);
      out += ":{\"shape\":[";
      for (uint32_t d = 0; d < output.rank; ++d) {
        out += (d > 0 ? "," : "") + std::to_string(output.shape[d]);
      }
      out += "],\"data\":[";
      for (size_t n = 0; n < size(output); ++n) {
        if (n > 0) {
          out += ',';
        }
        append_json(out, output.data[n]);
      }
      out += "]}";
    }
    out += '}';
  }

  void append_text(size_t i, const Request&, bool truncated, std::string& out) override {
    for (const Output& output : outputs_[i]) {
      const size_t count = size(output);
      std::string shape = std::to_string(output.shape[0]);
      if (output.rank == 2) {
        shape += " x " + std::to_string(output.shape[1]);
      }
      out += format("%s  %s", output.name, shape.c_str());
      if (count > 0) {
        const auto [least, most] = std::minmax_element(output.data, output.data + count);
        out += format("  from %.4g to %.4g: ", static_cast<double>(*least), static_cast<double>(*most));
        for (size_t n = 0; n < std::min<size_t>(count, 6); ++n) {
          out += format(" %.6g", static_cast<double>(output.data[n]));
        }
        out += count > 6 ? " …" : "";
      }
      out += '\n';
    }
    out += truncated ? "(cut)\n\n" : "\n";
  }

 private:
  static size_t size(const Output& output) {
    size_t count = 1;
    for (uint32_t d = 0; d < output.rank; ++d) {
      count *= output.shape[d];
    }
    return count;
  }

  std::vector<std::vector<Output>> outputs_;  // of the last answer; the data is the session's
};

}  // namespace

std::unique_ptr<Command> make_encode_command() { return std::make_unique<EncodeCommand>(); }

}  // namespace kinglet::cli
