// kinglet rerank: texts in the order in which they suit a query, by a cross-encoder.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class RerankCommand : public TaskCommand {
 public:
  const char* name() const override { return "rerank"; }
  const char* summary() const override { return "Order texts by how well they suit a query"; }
  const char* arguments() const override { return "M.kgl [QUERY TEXT…]"; }
  const char* manual() const override {
    return "Gives each text a score for the query and prints the texts by falling score. The model is a "
           "cross-encoder:\n"
           "a classifier of pairs with one output. Scores are its outputs after the activation that the checkpoint\n"
           "configures for CrossEncoder of sentence-transformers, and without one a sigmoid.\n"
           "\n"
           "The first argument is the query, the others are the texts; without any, each line of standard input is a\n"
           "query and its texts with TABs between them; with --jsonl each line is {\"query\":…,\"texts\":[…]}.\n"
           "\n"
           "Output: score, index (from 0) and text; an empty line after each query. With --json:\n"
           "  {\"ranking\":[{\"index\":2,\"score\":0.9},…]}\n"
           "\"truncated\":true where query and text were cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet rerank ce.kgl \"smallest birds\" \"The kinglet weighs five grams.\" \"Whales are large.\"\n"
           "  kinglet rerank ce.kgl --jsonl --json --top-k 10 < candidates.jsonl";
  }

 protected:
  unsigned json_fields() const override { return kFieldQuery | kFieldTexts; }
  Pairs pairs() const override { return Pairs::kQuery; }
  const char* top_k_help() const override { return "Show the N best texts (default: all)"; }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    rankings_.clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      const Request& request = *requests[i];
      std::vector<Input> texts;
      for (const std::string& text : request.texts) {
        texts.push_back(text_input(text));
      }
      Ranking ranking;
      ranking.scores.resize(texts.size());
      std::vector<uint8_t> cut(texts.size(), 0);
      Result<void> result =
          session.rerank(text_input(request.text), texts.data(), texts.size(), ranking.scores.data(), cut.data());
      if (result) {
        result = check_finite(ranking.scores.data(), ranking.scores.size());
      }
      if (!result) {
        return result;
      }
      truncated[i] = std::find(cut.begin(), cut.end(), 1) != cut.end() ? 1 : 0;
      ranking.order.resize(texts.size());
      std::iota(ranking.order.begin(), ranking.order.end(), size_t{0});
      std::stable_sort(ranking.order.begin(), ranking.order.end(),
                       [&](size_t a, size_t b) { return ranking.scores[a] > ranking.scores[b]; });
      if (top_k() != 0 && top_k() < ranking.order.size()) {
        ranking.order.resize(top_k());
      }
      rankings_.push_back(std::move(ranking));
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    out += "\"ranking\":[";
    for (const size_t index : rankings_[i].order) {
      out += (out.back() == '[' ? "{\"index\":" : ",{\"index\":") + std::to_string(index) + ",\"score\":";
      append_json(out, rankings_[i].scores[index]);
      out += '}';
    }
    out += ']';
  }

  void append_text(size_t i, const Request& request, bool truncated, std::string& out) override {
    for (const size_t index : rankings_[i].order) {
      out += format("%8.4f  %3zu  ", static_cast<double>(rankings_[i].scores[index]), index) +
             shorten(request.texts[index], 80) + "\n";
    }
    out += truncated ? "(cut)\n\n" : "\n";
  }

 private:
  struct Ranking {
    std::vector<float> scores;
    std::vector<size_t> order;
  };

  std::vector<Ranking> rankings_;  // of the last answer
};

}  // namespace

std::unique_ptr<Command> make_rerank_command() {
  return std::make_unique<RerankCommand>();
}

}  // namespace kinglet::cli
