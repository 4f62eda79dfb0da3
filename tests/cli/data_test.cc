// Reading data files: what is accepted and what comes out. (Error messages are tested through the command line.)
#include "eval/data.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

#include "error.h"
#include "support/temporary.h"

using namespace kinglet::eval;

namespace {

DataSet read(const std::string& bytes) {
  const kinglet::test::TemporaryFolder folder;
  std::ofstream(folder / "data.tsv", std::ios::binary) << bytes;
  return read_tsv(folder / "data.tsv");
}

}  // namespace

TEST_CASE("columns in any order, others left alone") {
  const DataSet data = read("id\tsentence2\tscore\tlabel\tsentence1\n1\tb\t0.5\tyes\ta\n2\td\t-1e3\tno\tc");
  CHECK(data.has_pair);
  CHECK(data.has_label);
  CHECK(data.has_score);
  REQUIRE(data.examples.size() == 2);
  CHECK(data.examples[0].line == 2);
  CHECK(data.examples[0].text == "a");
  CHECK(data.examples[0].pair == "b");
  CHECK(data.examples[0].label == "yes");
  CHECK(data.examples[0].score == 0.5);
  CHECK(data.examples[1].line == 3);
  CHECK(data.examples[1].score == -1000);
}

TEST_CASE("fields are as they stand") {
  const DataSet data = read("label\ttext\r\nx\t \"quoted, \"\"twice\"\"\" \r\n\t\r\n\r\n\n");
  REQUIRE(data.examples.size() == 2);
  CHECK(data.examples[0].text == " \"quoted, \"\"twice\"\"\" ");
  CHECK(data.examples[1].label.empty());
  CHECK(data.examples[1].text.empty());
}

TEST_CASE("labels by name, then by index") {
  const std::vector<std::string> labels = {"no", "1", "yes"};
  const DataSet data = read("label\ttext\nyes\ta\n1\tb\n2\tc\n0\td\n3\te\n");
  CHECK(label_index(data, data.examples[0], labels) == 2);
  CHECK(label_index(data, data.examples[1], labels) == 1);
  CHECK(label_index(data, data.examples[2], labels) == 2);
  CHECK(label_index(data, data.examples[3], labels) == 0);
  CHECK_THROWS_AS(label_index(data, data.examples[4], labels), kinglet::convert::Error);
  // A name wins over an index.
  const std::vector<std::string> crossed = {"1", "0"};
  CHECK(label_index(data, data.examples[1], crossed) == 0);
  CHECK(label_index(data, data.examples[3], crossed) == 1);
}

TEST_CASE("any bytes are either data or an error with the file's name") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string alphabet("\t\t\t\n\n\r\0ab1.-e\xff", 14);
  int good = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bytes = round % 2 ? "score\ttext\n" : "label\ttext\n";
    for (size_t i = random() % 20; i > 0; --i) {
      bytes += alphabet[random() % alphabet.size()];
    }
    try {
      good += read(bytes).examples.empty() ? 0 : 1;
    } catch (const kinglet::convert::Error& error) {
      const std::string message = error.what();
      CHECK(message.find("data.tsv") != std::string::npos);
      CHECK(message.find('\n') == std::string::npos);
    }
  }
  CHECK(good > 0);
}
