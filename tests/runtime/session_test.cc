// Sessions: limits, refusals, cancellation, and plans of every size.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

using namespace kinglet::test;

namespace {

// A converted checkpoint that lives as long as the tests of this file.
const std::filesystem::path& classifier() {
  static const TemporaryFolder folder;
  static const std::filesystem::path file = [] {
    convert_checkpoint(data_folder() / "tiny" / "bert-seqcls", folder / "model.kgl", "int8");
    return folder / "model.kgl";
  }();
  return file;
}

kinglet_session_options options_for(uint32_t batch, uint32_t max_length, uint32_t threads = 1) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.batch = batch;
  options.max_length = max_length;
  options.threads = threads;
  return options;
}

std::string message(const OpenSession& open) { return kinglet_session_message(open.session); }

}  // namespace

TEST_CASE("a text longer than max_length is cut and marked") {
  OpenSession open(classifier(), options_for(2, 8));
  const std::string longer = "one two three four five six seven eight nine ten";
  const kinglet_input inputs[] = {text_input(longer), text_input("no")};
  std::vector<float> scores(2 * open.info.label_count);
  uint8_t truncated[2] = {7, 7};
  REQUIRE(kinglet_classify(open.session, inputs, 2, scores.data(), nullptr, truncated) == KINGLET_OK);
  CHECK(truncated[0] == 1);
  CHECK(truncated[1] == 0);
  float sum = 0;
  for (uint32_t i = 0; i < open.info.label_count; ++i) {
    sum += scores[i];
  }
  CHECK(std::fabs(sum - 1.0f) < 1e-6f);
}

TEST_CASE("every length and every count, on one and two threads, with the plan made for exactly that") {
  const std::string words = "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p";
  for (const uint32_t threads : {1u, 2u}) {
    for (const uint32_t length : {3u, 4u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 40u}) {
      std::vector<float> alone;
      for (const uint32_t count : {1u, 2u, 5u}) {
        OpenSession open(classifier(), options_for(count, length, threads));
        const std::vector<kinglet_input> inputs(count, text_input(words));
        std::vector<float> scores(count * open.info.label_count);
        REQUIRE(kinglet_classify(open.session, inputs.data(), count, scores.data(), nullptr, nullptr) == KINGLET_OK);
        if (alone.empty()) {
          alone.assign(scores.begin(), scores.begin() + open.info.label_count);
        }
        for (size_t i = 0; i < scores.size(); ++i) {
          CHECK(scores[i] == alone[i % open.info.label_count]);
        }
      }
    }
  }
}

TEST_CASE("refused: more than the session was made for, ids out of range, a wrong task") {
  OpenSession open(classifier(), options_for(1, 8));
  std::vector<float> scores(open.info.label_count);
  kinglet_input input = {};
  const int32_t long_ids[9] = {2, 5, 5, 5, 5, 5, 5, 5, 3};
  input.ids = long_ids;
  input.id_count = 9;
  CHECK(kinglet_classify(open.session, &input, 1, scores.data(), nullptr, nullptr) == KINGLET_TOO_LONG);
  CHECK(message(open) == "input 0: 9 ids, expected at most 8");
  const int32_t bad_ids[3] = {2, static_cast<int32_t>(open.info.vocabulary), 3};
  input.ids = bad_ids;
  input.id_count = 3;
  CHECK(kinglet_classify(open.session, &input, 1, scores.data(), nullptr, nullptr) == KINGLET_INVALID_ARGUMENT);
  CHECK(message(open).find("ids[1]") != std::string::npos);
  const int32_t negative[1] = {-1};
  input.ids = negative;
  input.id_count = 1;
  CHECK(kinglet_classify(open.session, &input, 1, scores.data(), nullptr, nullptr) == KINGLET_INVALID_ARGUMENT);
  const int32_t ids[3] = {2, 5, 3};
  const int32_t types[3] = {0, 2, 0};
  input.ids = ids;
  input.type_ids = types;
  input.id_count = 3;
  CHECK(kinglet_classify(open.session, &input, 1, scores.data(), nullptr, nullptr) == KINGLET_INVALID_ARGUMENT);
  CHECK(message(open).find("type_ids[1] is 2") != std::string::npos);
  input.id_count = 0;
  CHECK(kinglet_classify(open.session, &input, 1, scores.data(), nullptr, nullptr) == KINGLET_INVALID_ARGUMENT);
  float embedding[64];
  CHECK(kinglet_embed(open.session, &input, 1, embedding, nullptr) == KINGLET_WRONG_TASK);
  CHECK(kinglet_encode(open.session, &input, 1, nullptr) == KINGLET_INVALID_ARGUMENT);
}

TEST_CASE("refused: options out of range") {
  CHECK_THROWS_WITH(OpenSession(classifier(), options_for(1, 100'000)),
                    doctest::Contains("more than the model's limit"));
  CHECK_THROWS_WITH(OpenSession(classifier(), options_for(1'000'000, 96)), doctest::Contains("are too many"));
  CHECK_THROWS_WITH(OpenSession(classifier(), options_for(1, 8, 1000)), doctest::Contains("threads"));
  kinglet_session_options options = options_for(1, 8);
  options.prompt = "query";
  CHECK_THROWS_WITH(OpenSession(classifier(), options), doctest::Contains("prompt 'query'"));
  options = options_for(1, 8);
  options.struct_size = 4096;
  CHECK_THROWS_WITH(OpenSession(classifier(), options), doctest::Contains("struct_size"));
}

TEST_CASE("cancelled from another thread, and usable afterwards") {
  OpenSession open(classifier(), options_for(4, 96, 2));
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "word ";
  }
  const std::vector<kinglet_input> inputs(20'000, text_input(text));
  std::vector<float> scores(inputs.size() * open.info.label_count);
  std::atomic<bool> started{false};
  std::thread canceller([&] {
    while (!started) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kinglet_session_cancel(open.session);
  });
  started = true;
  const kinglet_status status =
      kinglet_classify(open.session, inputs.data(), inputs.size(), scores.data(), nullptr, nullptr);
  canceller.join();
  CHECK(status == KINGLET_CANCELLED);
  CHECK(kinglet_classify(open.session, inputs.data(), 1, scores.data(), nullptr, nullptr) == KINGLET_OK);
}

TEST_CASE("two sessions of one model on two threads, the model's own handle closed before they run") {
  kinglet_model* model = nullptr;
  REQUIRE(kinglet_model_open_path(classifier().c_str(), &model) == KINGLET_OK);
  const kinglet_session_options options = options_for(1, 32);
  kinglet_session* sessions[2] = {};
  for (kinglet_session*& session : sessions) {
    REQUIRE(kinglet_session_create(model, &options, &session) == KINGLET_OK);
  }
  kinglet_model_close(model);  // the sessions keep it
  std::vector<std::vector<float>> results(2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const kinglet_input input = text_input("a gripping film");
      for (int round = 0; round < 20; ++round) {
        results[i].assign(3, 0.0f);
        if (kinglet_classify(sessions[i], &input, 1, results[i].data(), nullptr, nullptr) != KINGLET_OK) {
          results[i].clear();
          break;
        }
      }
      kinglet_session_close(sessions[i]);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(results[0].size() == 3);
  CHECK(results[0] == results[1]);
}
