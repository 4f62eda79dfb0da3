// The test of kinglet.hpp, included by two programs: one with exceptions and one built with -fno-exceptions.
//   api_cpp_test EMBED.kgl [CLASSIFY.kgl]
#pragma once

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>
#include <type_traits>

#include "kinglet.hpp"

inline int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ++failures;                                                     \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
    }                                                                 \
  } while (0)

static_assert(!std::is_copy_constructible_v<kinglet::Model> && !std::is_copy_assignable_v<kinglet::Model>);
static_assert(std::is_nothrow_move_constructible_v<kinglet::Model>);
static_assert(std::is_nothrow_move_assignable_v<kinglet::Model>);
static_assert(!std::is_copy_constructible_v<kinglet::Session> && !std::is_copy_assignable_v<kinglet::Session>);
static_assert(std::is_nothrow_move_constructible_v<kinglet::Session>);
static_assert(std::is_nothrow_move_assignable_v<kinglet::Session>);

inline void test_errors() {
  kinglet::Result<kinglet::Model> model = kinglet::Model::open("/no/such/file");
  CHECK(!model && !model.ok());
  CHECK(model.status() == KINGLET_IO_ERROR && model.error().status() == KINGLET_IO_ERROR);
  CHECK(model.error().message().find("/no/such/file") != std::string::npos);
  CHECK(!kinglet::Model::open(static_cast<const char*>(nullptr)));
  CHECK(!kinglet::Model::open_fd(-1));
  CHECK(!kinglet::Model::open_memory(nullptr, 0));
  kinglet::Result<void> good;
  CHECK(good && good.status() == KINGLET_OK);
  kinglet::Result<void> bad = kinglet::Error(KINGLET_CANCELLED, "why");
  CHECK(!bad && bad.status() == KINGLET_CANCELLED && bad.error().message() == "why");
  CHECK(!kinglet::version().empty() && !kinglet::isa().empty());
}

inline void test_model(const char* path) {
  auto model = kinglet::Model::open(std::string(path));
  CHECK(model.ok());
  if (!model) {
    std::printf("%s\n", model.error().message().c_str());
    return;
  }
  const kinglet_model_info info = model->info();
  CHECK(info.task == KINGLET_TASK_EMBED && info.embedding_size > 0);
  CHECK(model->output_name(0) == "last_hidden_state" && model->output_name(99).empty());
  CHECK(model->label(99).empty() && model->prompt_name(99).empty());
  CHECK(!model->token(0).empty() && model->token(-1).empty());
  CHECK(model->self_test().ok());

  kinglet::Model moved = *std::move(model);
  CHECK(moved.get() != nullptr && moved.info().vocabulary == info.vocabulary);
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  auto in_memory = kinglet::Model::open_memory(bytes.data(), bytes.size());
  CHECK(in_memory.ok() && in_memory->self_test().ok());
  moved = *std::move(in_memory);
  CHECK(moved.info().embedding_size == info.embedding_size);
}

inline void test_session(const char* path) {
  auto model = kinglet::Model::open(path);
  if (!model) return;
  kinglet::SessionOptions options;
  options.max_length = model->info().max_length + 1;
  auto refused = kinglet::Session::create(*model, options);
  CHECK(!refused && refused.status() == KINGLET_INVALID_ARGUMENT && !refused.error().message().empty());
  options.max_length = 0;
  options.raw_outputs = true;
  options.batch = 2;
  options.threads = 2;
  options.offset_unit = KINGLET_OFFSETS_CODEPOINTS;
  auto created = kinglet::Session::create(*model, options);
  CHECK(created.ok());
  if (!created) return;
  kinglet::Session session = *std::move(created);
  CHECK(session.memory() > 0 && session.info().embedding_size == model->info().embedding_size);

  auto tokens = session.tokenize("é a");
  CHECK(tokens.ok() && tokens->ids.size() == tokens->offsets.size() && tokens->ids.size() == tokens->type_ids.size());
  CHECK(!tokens->truncated && tokens->offsets.front().begin == KINGLET_NO_OFFSET);
  CHECK(tokens->offsets[tokens->offsets.size() - 2].begin == 2);  // in code points
  const std::string commas(1000, ',');                            // as many tokens as bytes: the first guess is short
  tokens = session.tokenize(commas);
  CHECK(tokens.ok() && tokens->ids.size() == 1002);
  tokens = session.tokenize(commas, 10);
  CHECK(tokens.ok() && tokens->ids.size() == 10 && tokens->truncated);
  CHECK(session.tokenize(std::string_view()).ok());
  CHECK(session.tokenize("a", 1).status() == KINGLET_INVALID_ARGUMENT);

  auto first = session.embed("a bird"), second = session.embed("the sea");
  CHECK(first.ok() && second.ok() && first->size() == session.info().embedding_size);
  const std::array inputs = {kinglet::text_input("a bird"), kinglet::text_input("the sea")};
  std::vector<float> both(2 * first->size());
  std::array<uint8_t, 2> truncated = {9, 9};
  CHECK(session.embed(inputs.data(), inputs.size(), both.data(), truncated.data()).ok());
  CHECK(std::memcmp(both.data(), first->data(), first->size() * sizeof(float)) == 0);
  CHECK(std::memcmp(both.data() + first->size(), second->data(), first->size() * sizeof(float)) == 0);
  CHECK(truncated[0] == 0 && truncated[1] == 0);
  const float cosine = kinglet::cosine(*first, *second);
  CHECK(cosine > -1.0f && cosine < 1.0f && cosine == kinglet::cosine(first->data(), second->data(), first->size()));

  tokens = session.tokenize("a bird");
  const kinglet::Input ids = kinglet::ids_input(tokens->ids.data(), tokens->ids.size(), tokens->type_ids.data());
  CHECK(session.encode(&ids, 1).ok());
  auto output = session.output(0, 0);
  CHECK(output.ok() && output->rank == 2 && output->shape[0] == tokens->ids.size());
  CHECK(session.output(0, 99).status() == KINGLET_INVALID_ARGUMENT);
  const kinglet::Input pair = kinglet::pair_input("a", std::string_view());
  CHECK(session.encode(&pair, 1).ok());
  CHECK(session.classify("a").status() == KINGLET_WRONG_TASK);
  CHECK(session.classify(inputs.data(), 1, both.data()).status() == KINGLET_WRONG_TASK);

  std::thread([&] { session.cancel(); }).join();  // no call in progress: nothing happens
  CHECK(session.embed("a bird").ok());
  {
    kinglet::Model gone = *std::move(model);
  }
  CHECK(session.embed("a bird").ok());  // the session keeps what it needs
  kinglet::Session other = std::move(session);
  CHECK(other.embed("a bird").ok());
}

inline void test_classify(const char* path) {
  auto model = kinglet::Model::open(path);
  CHECK(model.ok());
  if (!model) return;
  auto session = kinglet::Session::create(*model);
  CHECK(session.ok());
  if (!session) return;
  auto result = session->classify("a bird");
  CHECK(result.ok() && result->scores.size() == model->info().label_count);
  CHECK(result->logits.size() == result->scores.size() && !result->truncated);
  CHECK(!model->label(0).empty());
  std::vector<float> scores(result->scores.size());
  const kinglet::Input input = kinglet::text_input("a bird");
  CHECK(session->classify(&input, 1, scores.data()).ok() && scores == result->scores);
  CHECK(session->classify(kinglet::pair_input("a", "b")).ok());
  CHECK(session->embed("a bird").status() == KINGLET_WRONG_TASK);
}

inline int run_all(int argc, char** argv) {
  if (argc < 2) {
    std::printf("usage: %s EMBED.kgl [CLASSIFY.kgl]\n", argv[0]);
    return 2;
  }
  test_errors();
  test_model(argv[1]);
  test_session(argv[1]);
  if (argc > 2) {
    test_classify(argv[2]);
  } else {
    std::printf("SKIPPED: classify through kinglet.hpp: there is no classification checkpoint\n");
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
