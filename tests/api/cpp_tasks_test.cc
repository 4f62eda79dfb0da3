// Tagging, answering, filling masks and ranking through kinglet.hpp, without exceptions.
//   api_cpp_tasks_test TAG.kgl MASK.kgl ANSWER.kgl RANK.kgl
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet.hpp"

namespace {

int failures = 0;

#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) {                                           \
      ++failures;                                                 \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                             \
  } while (0)

kinglet::Session open(const kinglet::Model& model) {
  kinglet::SessionOptions options;
  options.top_k = 3;
  options.document_tokens = 5000;
  return *kinglet::Session::create(model, options);
}

void test_tag(const char* path) {
  const kinglet::Model model = *kinglet::Model::open(path);
  kinglet::Session session = open(model);
  const std::string_view text = "Angela visited Seoul.";
  const auto entities = session.tag(text, KINGLET_AGGREGATION_FIRST);
  CHECK(entities.ok() && !entities->empty() && entities->back().span.end <= text.size());
  CHECK(session.entities(0).ok() && session.entities(0)->size == entities->size());
  CHECK(session.entities(1).status() == KINGLET_INVALID_ARGUMENT);
  size_t count = 0;
  const kinglet::View<kinglet::Entity> view = *session.entities(0);
  for (const kinglet::Entity& entity : view) {
    count += entity.label != nullptr ? 1 : 0;
  }
  CHECK(count == entities->size());
  CHECK(session.fill_mask("a").status() == KINGLET_WRONG_TASK);
  CHECK(session.answer("a", "b").status() == KINGLET_WRONG_TASK);
  CHECK(session.rerank("a", {"b"}).status() == KINGLET_WRONG_TASK);
}

void test_fill_mask(const char* path) {
  const kinglet::Model model = *kinglet::Model::open(path);
  kinglet::Session session = open(model);
  const auto filled = session.fill_mask("[MASK] or [MASK]", 2);
  CHECK(filled.ok() && filled->size() == 2 && (*filled)[0].size() == 2 && (*filled)[1].size() == 2);
  CHECK(session.masks(0).ok() && *session.masks(0) == 2);
  CHECK(!model.token((*filled)[0][0].id).empty());
  CHECK(session.fill_mask("none").status() == KINGLET_INVALID_ARGUMENT);
  CHECK(session.fill_mask("[MASK]")->front().size() == 3);  // 5, but for the session's top_k
  CHECK(session.tag("a").status() == KINGLET_WRONG_TASK);
}

void test_answer(const char* path) {
  const kinglet::Model model = *kinglet::Model::open(path);
  kinglet::Session session = open(model);
  kinglet::AnswerOptions options = KINGLET_ANSWER_OPTIONS_INIT;
  options.top_k = 3;
  const auto answers = session.answer("who?", "the bird sings and the sea is wide", &options);
  CHECK(answers.ok() && answers->size() == 3 && (*answers)[0].score >= (*answers)[2].score);
  CHECK(session.answer("who?", "")->empty());
}

void test_rerank(const char* path) {
  const kinglet::Model model = *kinglet::Model::open(path);
  kinglet::Session session = open(model);
  const auto scores = session.rerank("birds", {"a kinglet", "", "the sea"});
  CHECK(scores.ok() && scores->size() == 3);
  CHECK(session.rerank("birds", {}).ok());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::printf("usage: %s TAG.kgl MASK.kgl ANSWER.kgl RANK.kgl\n", argv[0]);
    return 2;
  }
  test_tag(argv[1]);
  test_fill_mask(argv[2]);
  test_answer(argv[3]);
  test_rerank(argv[4]);
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
