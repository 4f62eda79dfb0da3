// kinglet tag: the entities of texts, as the token-classification pipeline of transformers finds them.
#include <CLI/CLI.hpp>

#include "cli/spans.h"
#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class TagCommand : public TaskCommand {
 public:
  const char* name() const override { return "tag"; }
  const char* summary() const override { return "Find the entities of texts"; }
  const char* manual() const override {
    return "Labels the tokens of each text and joins adjacent ones of one label to entities: those of the\n"
           "token-classification pipeline of transformers 4.57.3. Labels may be plain or begin with B- and I-; \"O\" "
           "is\n"
           "left out. An entity begins and ends where the text does, without surrounding spaces.\n"
           "\n"
           "--aggregation says how the pieces of a word get one label: simple (not at all), first (that of the first\n"
           "piece), average (the best of the average scores) or max (that of the highest score).\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --jsonl each line is\n"
           "{\"text\":…}. A text over the limit is cut; with --stride N it is tagged in windows that overlap by N\n"
           "tokens.\n"
           "\n"
           "Output: label, score, place and text of each entity; an empty line after each text. With --json:\n"
           "  {\"entities\":[{\"label\":\"LOC\",\"text\":\"Paris\",\"begin\":0,\"end\":5,\"score\":0.99}]}\n"
           "begin and end count bytes of the text, or what --offsets says. \"truncated\":true where the text was cut.\n"
           "\n"
           "Examples:\n"
           "  kinglet tag ner.kgl \"Ada Lovelace was born in London.\" --aggregation first\n"
           "  kinglet tag ner.kgl --json --stride 64 < articles.txt";
  }

 protected:
  unsigned json_fields() const override { return kFieldText; }
  Pairs pairs() const override { return Pairs::kNever; }

  void add_own_options(CLI::App& app) override {
    app.add_option("--aggregation", aggregation_, "simple (default), first, average or max")
        ->type_name("HOW")
        ->check(CLI::IsMember({"simple", "first", "average", "max"}));
    add_number(app, "--stride", &stride_, 1u << 30,
               "Tag long texts in windows that share N tokens (default: cut the text)");
    add_offsets_option(app, &unit_);
  }

  void prepare(const Model&, SessionOptions& options) override {
    options.offset_unit = offset_unit(unit_);
    options.document_tokens = kDocumentTokens;
    options_.aggregation = aggregation_ == "first"     ? KINGLET_AGGREGATION_FIRST
                           : aggregation_ == "average" ? KINGLET_AGGREGATION_AVERAGE
                           : aggregation_ == "max"     ? KINGLET_AGGREGATION_MAX
                                                       : KINGLET_AGGREGATION_SIMPLE;
    options_.windows = stride_ > 0 ? 1 : 0;
    options_.stride = stride_;
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    std::vector<Input> inputs;
    texts_.clear();
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
      texts_.push_back(request->text);
    }
    if (Result<void> result = session.tag(inputs.data(), inputs.size(), &options_, truncated.data()); !result) {
      return result;
    }
    entities_.clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      const Result<View<Entity>> entities = session.entities(i);
      if (!entities) {
        return entities.error();
      }
      entities_.push_back(*entities);
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    Slicer slicer(texts_[i], offset_unit(unit_));
    out += "\"entities\":[";
    for (const Entity& entity : entities_[i]) {
      out += out.back() == '[' ? "{\"label\":" : ",{\"label\":";
      append_json(out, label_of(entity));
      out += ",\"text\":";
      append_json(out, slicer.slice(entity.span));
      out += format(",\"begin\":%u,\"end\":%u,\"score\":", entity.span.begin, entity.span.end);
      append_json(out, entity.score);
      out += '}';
    }
    out += ']';
  }

  void append_text(size_t i, const Request&, bool truncated, std::string& out) override {
    Slicer slicer(texts_[i], offset_unit(unit_));
    for (const Entity& entity : entities_[i]) {
      const std::string place = format("%u-%u", entity.span.begin, entity.span.end);
      out += format("%-12s %.4f %11s  ", shorten(label_of(entity), 40).c_str(), static_cast<double>(entity.score),
                    place.c_str()) +
             shorten(slicer.slice(entity.span), 60) + "\n";
    }
    out += truncated ? "(cut)\n\n" : "\n";
  }

 private:
  static constexpr uint32_t kDocumentTokens = 1u << 20;

  std::string label_of(const Entity& entity) const {
    return entity.label != nullptr ? entity.label : label_name(model(), entity.label_index);
  }

  std::string aggregation_ = "simple";
  std::string unit_ = "bytes";
  uint32_t stride_ = 0;
  TagOptions options_ = KINGLET_TAG_OPTIONS_INIT;
  std::vector<std::string_view> texts_;  // of the last answer, as its entities
  std::vector<View<Entity>> entities_;
};

}  // namespace

std::unique_ptr<Command> make_tag_command() {
  return std::make_unique<TagCommand>();
}

}  // namespace kinglet::cli
