// kinglet classify: texts or pairs of texts to labels, as the text-classification pipeline of transformers does.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

constexpr float kLabelThreshold = 0.5f;  // multi-label: the labels that hold

class ClassifyCommand : public TaskCommand {
 public:
  const char* name() const override { return "classify"; }
  const char* summary() const override { return "Label texts"; }
  const char* manual() const override {
    return "Prints the labels of each text and their scores: those of the text-classification pipeline of\n"
           "transformers 4.57.3. Scores are a softmax over the labels, for multi-label models and models with one\n"
           "output a sigmoid, and the raw numbers for regression.\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --pair they come in pairs\n"
           "(natural language inference, next sentence): two arguments, or a line with a TAB between them; with\n"
           "--jsonl each line is {\"text\":…}, {\"text\":…,\"pair\":…} or {\"ids\":[…],\"type_ids\":[…]} (special\n"
           "tokens included).\n"
           "\n"
           "Output: the best label (with --top-k N the best N; of a multi-label model those over 0.5), scores, and\n"
           "the text. With --json:\n"
           "  {\"label\":\"positive\",\"score\":0.98,\"scores\":{\"positive\":0.98,\"negative\":0.02}}\n"
           "scores by falling score, at most N with --top-k N; multi-label models add \"labels\":[…], those over\n"
           "0.5; models with one output add \"value\", the raw number, and for regression print only that.\n"
           "\"truncated\":true where the text was cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet classify m.kgl \"what a lovely film\"\n"
           "  kinglet classify nli.kgl --pair \"a bird sings\" \"an animal makes a sound\" --json";
  }

 protected:
  const char* top_k_help() const override { return "Show the N labels with the highest scores (default: see above)"; }

  void prepare(const Model& model, SessionOptions&) override {
    count_ = model.info().label_count;
    scoring_ = model.info().scoring;
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    std::vector<Input> inputs;
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
    }
    scores_.resize(inputs.size() * count_);
    logits_.resize(inputs.size() * count_);
    if (Result<void> result =
            session.classify(inputs.data(), inputs.size(), scores_.data(), logits_.data(), truncated.data());
        !result) {
      return result;
    }
    if (Result<void> result = check_finite(logits_.data(), logits_.size()); !result) {
      return result;
    }
    return check_finite(scores_.data(), scores_.size());
  }

  void append_fields(size_t i, std::string& out) override {
    const float* scores = scores_.data() + i * count_;
    if (one_number()) {
      out += "\"value\":";
      append_json(out, logits_[i]);
      if (scoring_ == KINGLET_SCORING_NONE) {
        return;
      }
      out += ',';
    }
    const std::vector<uint32_t> order = by_score(scores);
    out += "\"label\":";
    append_json(out, label_name(model(), order[0]));
    out += ",\"score\":";
    append_json(out, scores[order[0]]);
    out += ",\"scores\":{";
    const size_t shown = top_k() != 0 ? std::min<size_t>(top_k(), order.size()) : order.size();
    for (size_t n = 0; n < shown; ++n) {
      out += n > 0 ? "," : "";
      append_json(out, label_name(model(), order[n]));
      out += ':';
      append_json(out, scores[order[n]]);
    }
    out += '}';
    if (multi_label()) {
      out += ",\"labels\":[";
      const char* comma = "";
      for (const uint32_t label : order) {
        if (scores[label] > kLabelThreshold) {
          out += comma;
          append_json(out, label_name(model(), label));
          comma = ",";
        }
      }
      out += ']';
    }
  }

  void append_text(size_t i, const Request& request, bool, std::string& out) override {
    const float* scores = scores_.data() + i * count_;
    if (one_number()) {
      out += format("%.6g", static_cast<double>(logits_[i]));
    } else {
      const std::vector<uint32_t> order = by_score(scores);
      size_t shown = std::min<size_t>(std::max(top_k(), 1u), order.size());
      if (multi_label() && top_k() == 0) {
        shown = 0;
        while (shown < order.size() && scores[order[shown]] > kLabelThreshold) {
          ++shown;
        }
        out += shown == 0 ? "(none)" : "";
      }
      for (size_t n = 0; n < shown; ++n) {
        out += (n > 0 ? ", " : "") + shorten(label_name(model(), order[n]), 40) +
               format(" %.4f", static_cast<double>(scores[order[n]]));
      }
    }
    out += "\t" + (request.fields & kFieldIds ? format("(%zu ids)", request.ids.size()) : shorten(request.text, 60));
    if (request.fields & kFieldPair) {
      out += "\t" + shorten(request.pair, 60);
    }
    out += '\n';
  }

 private:
  bool one_number() const { return count_ == 1; }
  bool multi_label() const { return scoring_ == KINGLET_SCORING_SIGMOID && count_ > 1; }

  // Label indices by falling score; equal scores keep the labels' order.
  std::vector<uint32_t> by_score(const float* scores) const {
    std::vector<uint32_t> order(count_);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
    return order;
  }

  uint32_t count_ = 0;
  kinglet_scoring scoring_ = KINGLET_SCORING_SOFTMAX;
  std::vector<float> scores_, logits_;  // of the last answer
};

}  // namespace

std::unique_ptr<Command> make_classify_command() { return std::make_unique<ClassifyCommand>(); }

}  // namespace kinglet::cli
