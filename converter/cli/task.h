// The commands that answer texts: where the texts come from, batches, errors in their place, output in input order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/jsonl.h"
#include "kinglet.hpp"

namespace kinglet::cli {

// Opens a model; throws InputError with its path and the reason.
Model open_model(const std::string& path);
// Creates a session. Throws UsageError for options that do not fit this model, InputError otherwise.
Session create_session(const Model& model, const SessionOptions& options, const std::string& path);
// Throws UsageError when `max_length` is above the model's limit.
void check_max_length(const Model& model, uint32_t max_length);
// Throws UsageError when the model has no prompt of this name; the message lists those that it has.
void check_prompt(const Model& model, const std::string& prompt);
// The name of a label, or LABEL_n (as transformers has it) where the file gives it none.
std::string label_name(const Model& model, uint32_t index);
// A request as the API wants it; points into `request`.
Input to_input(const Request& request);

class TaskCommand : public Command {
 public:
  const char* arguments() const override { return "M.kgl [TEXT…]"; }
  void add_options(CLI::App& app) override;
  int run(const std::vector<std::string>& arguments) override;

 protected:
  // kQuery: a query and the texts that go with it, all arguments or all fields of a line.
  enum class Pairs { kNever, kOnDemand, kAlways, kQuery };

  // ---- What a command says about itself ----
  virtual unsigned json_fields() const { return kFieldText | kFieldPair | kFieldIds | kFieldTypeIds; }
  virtual Pairs pairs() const { return Pairs::kOnDemand; }
  virtual bool limits_length() const { return true; }  // --max-length is bounded by the model
  virtual const char* top_k_help() const { return "Accepted for all task commands; this one has nothing to limit"; }

  // ---- What it does ----
  virtual void add_own_options(CLI::App&) {}
  // Checks that the model can do this and adds to the session's options; may throw.
  virtual void prepare(const Model&, SessionOptions&) {}
  // Answers all requests, or none. Sets truncated[i] to 1 where a text was cut.
  virtual Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                              std::vector<uint8_t>& truncated) = 0;
  // Appends the fields of the JSON object for request `i` of the last answer, without braces.
  virtual void append_fields(size_t i, std::string& out) = 0;
  // Appends the lines for people, the last one ended.
  virtual void append_text(size_t i, const Request& request, bool truncated, std::string& out) = 0;

  uint32_t max_length() const { return max_length_; }
  uint32_t top_k() const { return top_k_; }  // 0: not given
  const Model& model() const { return *model_; }

 private:
  struct Item {
    std::string where;
    Request request;
    std::string error;
  };
  class Source;

  void process(Session& session, std::vector<Item>& items);
  void emit(const Item& item, size_t index, bool truncated);
  void emit_error(const Item& item);

  bool json_ = false;
  bool jsonl_ = false;
  bool pair_ = false;
  uint32_t max_length_ = 0;
  uint32_t threads_ = 1;
  uint32_t batch_ = 0;
  uint32_t top_k_ = 0;
  std::string model_path_;
  std::optional<Model> model_;
  bool failed_ = false;
};

// KINGLET_OK, or KINGLET_NON_FINITE: JSON has no way to write such numbers, and they answer nothing.
Result<void> check_finite(const float* values, size_t count);

}  // namespace kinglet::cli
