// The arithmetic of plans: made-up facts whose sums are known, and real files beside what was predicted of them.
#include <doctest/doctest.h>

#include <fstream>

#include "compress/plan.h"
#include "compress/sizes.h"
#include "convert.h"
#include "prune/prune.h"
#include "prune/vocabulary.h"
#include "source_model.h"
#include "support/paths.h"
#include "support/temporary.h"
#include "train/start.h"
#include "train/student.h"

using namespace kinglet::compress;
namespace convert = kinglet::convert;
namespace train = kinglet::train;
namespace fs = std::filesystem;

namespace {

// 100 heads of 10 bytes and 1,000 neurons of 2, as much work as bytes; 1,000 bytes beside them, and 10 per token.
Facts simple_facts(uint64_t budget) {
  Facts facts;
  facts.budget = budget;
  facts.source = {4000, 10};
  facts.encoder = {100, 1000, 10, 2, 10, 2, 0};
  facts.calibration_bytes = 50;
  facts.vocabularies = {{0, 1000, 500}, {1, 600, 300}, {5, 300, 150}, {20, 100, 50}};
  facts.students = {{"layers=1", {2000, 10}, 0.5}, {"layers=2", {3000, 10}, 0.75}, {"bert-tiny", {500, 2}, 0.1}};
  facts.trains = true;
  facts.rates.pass = 100;
  return facts;
}

std::vector<PassKind> kinds_of(const Plan& plan) {
  std::vector<PassKind> kinds;
  for (const Pass& pass : plan.passes) {
    kinds.push_back(pass.kind);
  }
  return kinds;
}

using enum PassKind;

}  // namespace

TEST_CASE("sizes and losses as people write them") {
  struct Size {
    const char* text;
    uint64_t bytes;
  };
  for (const Size& size : {Size{"9MB", 9'000'000}, {"9 MB", 9'000'000}, {"8.5MiB", 8'912'896}, {"900kB", 900'000},
                           {"900KB", 900'000}, {"12345", 12345}, {"1GB", 1'000'000'000}, {"", 0}, {"MB", 0},
                           {"-9MB", 0}, {"0", 0}, {"9MX", 0}, {"nan", 0}, {"inf", 0}, {"1e30GB", 0}}) {
    CAPTURE(size.text);
    CHECK(parse_bytes(size.text) == size.bytes);
  }
  Loss loss;
  REQUIRE(parse_loss("3%", &loss));
  CHECK(loss.limit(90) == doctest::Approx(87.3));
  REQUIRE(parse_loss("2.5", &loss));
  CHECK(loss.limit(90) == doctest::Approx(87.5));
  for (const char* text : {"", "%", "-1", "3%%", "three", "101", "nan"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_loss(text, &loss));
  }
}

TEST_CASE("bytes of a pruned model") {
  const Facts facts = simple_facts(0);
  const VocabularyChoice& all = facts.vocabularies[0];
  CHECK(bytes_of(facts.source, all) == 14500);
  CHECK(pruned_bytes(facts, all, 1) == 14500);
  // Heads and neurons weigh as much as they work, so the mixture does not matter.
  CHECK(pruned_bytes(facts, all, 0.5) == 14500 - 1500);
  // Neurons that weigh more than they work fill the work first: all of theirs, and nothing of the heads'.
  Facts heavy = facts;
  heavy.encoder.neuron_bytes = 3;
  heavy.source.fixed = 5000;
  CHECK(pruned_bytes(heavy, all, 2.0 / 3) == 15500 - 1000);
  CHECK(pruned_bytes(heavy, all, 1.0 / 3) == 15500 - 1000 - 1500);
}

TEST_CASE("the largest target is the last that fits") {
  Facts facts = simple_facts(13000);
  const VocabularyChoice& all = facts.vocabularies[0];
  CHECK(largest_target(facts, all) == doctest::Approx(0.5));
  facts.budget = 12999;
  CHECK(largest_target(facts, all) == doctest::Approx(0.49));
  facts.budget = 14500;
  CHECK(largest_target(facts, all) == 1);
  facts.budget = 5000;
  CHECK(largest_target(facts, all) == 0);
  facts.budget = 14500 - 2580;  // 0.14
  CHECK(largest_target(facts, all) == doctest::Approx(0.14));
  facts.encoder.least_work = 0.125 * 3000;  // what must stay has to be affordable
  CHECK(largest_target(facts, all) == doctest::Approx(0.14));
  facts.encoder.least_work = 0.135 * 3000;
  CHECK(largest_target(facts, all) == 0);
  facts.budget = 13000;
  facts.encoder = {};  // a model that cannot be pruned
  CHECK(largest_target(facts, all) == 0);
}

TEST_CASE("what fits as it is is not pruned") {
  const std::vector<Plan> plans = make_plans(simple_facts(15000));
  REQUIRE(plans.size() == 1);
  CHECK(kinds_of(plans[0]) == std::vector{int8, calibrate});
  CHECK(plans[0].bytes() == 14500);
  CHECK_FALSE(plans[0].trains());
}

TEST_CASE("calibration is planned where its bytes fit, too") {
  CHECK(kinds_of(make_plans(simple_facts(14550))[0]) == std::vector{int8, calibrate});
  CHECK(kinds_of(make_plans(simple_facts(14549))[0]) == std::vector{int8});
}

TEST_CASE("cheap plans first, and what trains by what it computes") {
  // Unpruned with 600 tokens: 10,300; all tokens fit when a twelfth of the encoder stays, which is too little.
  std::vector<Plan> plans = make_plans(simple_facts(10400));
  REQUIRE(plans.size() >= 3);
  CHECK(kinds_of(plans[0]) == std::vector{vocabulary, int8, calibrate});
  CHECK(plans[0].passes[0].min_count == 1);
  CHECK(plans[0].bytes() == 10300);
  for (size_t i = 1; i < plans.size(); ++i) {
    CHECK(plans[i].trains());
  }

  // 600 tokens fit with 0.4 of the encoder, 300 with all of it: rare tokens go before heads.
  plans = make_plans(simple_facts(8500));
  CHECK(kinds_of(plans[0]) == std::vector{vocabulary, int8, calibrate});
  CHECK(plans[0].passes[0].min_count == 5);
  CHECK(kinds_of(plans[1]) == std::vector{prune, vocabulary, int8});
  CHECK(plans[1].passes[0].target == doctest::Approx(0.4));
  CHECK(plans[1].passes[1].min_count == 1);
  CHECK(plans[1].bytes() == 8500);

  // Recovery is of the pruning that is tried first; of students, the largest of each sort that fits.
  std::vector<std::string> trained;
  for (const Plan& plan : plans) {
    if (plan.trains()) {
      trained.push_back(describe(plan.passes[plan.passes[0].kind == prune ? 1 : 0]));
      CHECK(plan.bytes() <= 8500);
    }
  }
  const std::vector<std::string> expected = {"distil into bert-tiny, 3 epochs",
                                             "recover: an epoch from the unpruned model",
                                             "distil into layers=2, 3 epochs"};
  CHECK(trained == expected);
}

TEST_CASE("mild pruning with rare tokens gone comes before harsh pruning with all that are seen") {
  Facts facts = simple_facts(8000);
  facts.vocabularies = {{0, 1000, 500}, {1, 600, 300}, {5, 500, 250}};
  const std::vector<Plan> plans = make_plans(facts);
  REQUIRE(plans.size() >= 2);
  CHECK(plans[0].passes[0].target == doctest::Approx(0.58));
  CHECK(plans[0].passes[1].min_count == 5);
  CHECK(plans[1].passes[0].target == doctest::Approx(0.23));
  CHECK(plans[1].passes[1].min_count == 1);
}

TEST_CASE("recovery is of the pruning with most tokens that an epoch brings back") {
  const auto recovered = [](std::vector<VocabularyChoice> vocabularies) {
    Facts facts = simple_facts(8000);
    facts.vocabularies = std::move(vocabularies);
    for (const Plan& plan : make_plans(facts)) {
      if (plan.passes.size() > 1 && plan.passes[1].kind == recover) {
        return std::pair(plan.passes[0].target, plan.passes[2].min_count);
      }
    }
    return std::pair(0.0, 0u);
  };
  CHECK(recovered({{0, 1000, 500}, {1, 580, 290}, {5, 500, 250}}) == std::pair(0.3, 1u));
  CHECK(recovered({{0, 1000, 500}, {1, 600, 300}, {5, 500, 250}}) == std::pair(0.58, 5u));  // 0.23 would be too little
  CHECK(recovered({{0, 1000, 500}, {1, 600, 300}}) == std::pair(0.23, 1u));
}

TEST_CASE("without training nothing of it is planned, and what cannot be reached is said") {
  Facts facts = simple_facts(8500);
  facts.trains = false;
  for (const Plan& plan : make_plans(facts)) {
    CHECK_FALSE(plan.trains());
  }
  facts.budget = 600;
  CHECK(make_plans(facts).empty());
  CHECK(least_bytes(facts).bytes == 4000 + 1000 + 50 - 2700);
  facts.trains = true;
  CHECK(least_bytes(facts).bytes == 500 + 200 + 50);
  CHECK(least_bytes(facts).how == "a student bert-tiny and 100 tokens");
}

TEST_CASE("expected times add up") {
  Facts facts = simple_facts(8500);
  facts.rates = {3, 2, 4, 10, 20, 50, 100, 7};
  const std::vector<Plan> plans = make_plans(facts);
  // Prune to 0.4: 50 + 2 + 4 + 10 · 0.4; tokens: 3 + 2 + 4 + 10 · 0.4; int8: 4 / 2.
  CHECK(plans[1].seconds() == doctest::Approx(60 + 13 + 2));
  // The recovery between: 7 + 100 · (1 + 3 · 0.4) + 4 + 10 · 0.4.
  for (const Plan& plan : plans) {
    if (plan.passes.size() > 1 && plan.passes[1].kind == recover) {
      CHECK(plan.seconds() == doctest::Approx(75 + 235));
    }
  }
}

namespace {

uint64_t converted_bytes(const fs::path& checkpoint, const fs::path& folder) {
  convert::ConvertOptions options;
  options.source = checkpoint;
  options.output = folder / "m.kgl";
  return convert::convert(options).output_bytes;
}

fs::path write_texts(const fs::path& folder) {
  std::ofstream file(folder / "texts.txt");
  for (int i = 0; i < 40; ++i) {
    file << "the small bird sings in the tree number " << i << '\n';
  }
  return folder / "texts.txt";
}

// What is predicted is not below what comes out, and above it by `most` at most.
void check_close(uint64_t predicted, uint64_t actual, uint64_t most) {
  CAPTURE(predicted);
  CAPTURE(actual);
  CHECK(predicted >= actual);
  CHECK(predicted <= actual + most);
}

}  // namespace

TEST_CASE("files weigh what was predicted") {
  const fs::path source = kinglet::test::data_folder() / "tiny" / "bert-seqcls";
  const kinglet::test::TemporaryFolder folder;
  const fs::path texts = write_texts(folder.path());
  const convert::SourceModel model =
      convert::read_source_model(source, std::nullopt, {}, [](const std::string&, double) {});
  const uint64_t whole = converted_bytes(source, folder.path()), tokenizer = tokenizer_bytes(*model.tokenizer);
  const uint64_t other = whole - weight_bytes(model.model) - tokenizer;
  Facts facts;
  facts.source = file_bytes(model.model, other);
  facts.encoder = encoder_bytes(model.model, 12);
  const VocabularyChoice all = {0, model.model.vocabulary, tokenizer};
  check_close(bytes_of(facts.source, all), whole, 128);

  SUBCASE("with fewer tokens") {
    convert::CheckpointFolder checkpoint = convert::read_checkpoint_folder(source);
    convert::VocabularyOptions options;
    options.texts = texts;
    const convert::VocabularyResult result = convert::prune_vocabulary(checkpoint, options);
    REQUIRE(result.after < result.before);
    convert::write_checkpoint_folder(checkpoint, folder.path() / "fewer");
    const auto compiled = convert::compile_tokenizer(folder.path() / "fewer");
    check_close(bytes_of(facts.source, {1, result.after, tokenizer_bytes(*compiled)}),
                converted_bytes(folder.path() / "fewer", folder.path()), 512);
  }
  SUBCASE("pruned") {
    for (const double target : {0.75, 0.4}) {
      convert::PruneOptions options;
      options.source = source;
      options.output = folder.path() / "pruned";
      options.data = texts;
      options.target = target;
      convert::prune(options);
      check_close(pruned_bytes(facts, all, target), converted_bytes(folder.path() / "pruned", folder.path()),
                  whole / 20);
    }
  }
  SUBCASE("a student") {
    const convert::ModelIR teacher = train::load_model(source);
    const train::Goal goal = train::goal_of(teacher, source.string());
    for (const char* shape : {"layers=1", "bert,hidden=32,heads=2"}) {
      const convert::CheckpointFolder student = train::start_student(
          source, teacher, goal, train::complete_shape(train::parse_student(shape), teacher), 1);
      const FileBytes bytes = file_bytes(shapes_of(student), other);
      convert::write_checkpoint_folder(student, folder.path() / "student");
      // What names and program of the missing layers take is counted still.
      check_close(bytes_of(bytes, all), converted_bytes(folder.path() / "student", folder.path()), 4096);
    }
  }
}
