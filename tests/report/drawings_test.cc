// The report from fixed numbers: what must be on it, what must not, and hashes and bytes as other tools print them.
// With KINGLET_PAGES=FOLDER the pages are left there, for pages_test.py to parse and to show to a browser.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sha256.h"
#include "report/charts.h"
#include "report/compare.h"
#include "report/html.h"
#include "report/report.h"
#include "support/paths.h"
#include "support/temporary.h"

using namespace kinglet::convert;

namespace {

const std::string kHostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)> \"'&\x01\xff\xe2\x80\xae";

bool has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

std::string keep(const std::string& name, const Report& report) {
  const std::string page = render_report(report);
  if (const char* folder = std::getenv("KINGLET_PAGES")) {
    std::ofstream(std::filesystem::path(folder) / (name + ".html"), std::ios::binary) << page;
  }
  return page;
}

// Every part of the page, with strings that `text` makes from plain ones.
template <typename Text>
Report full_report(Text text) {
  Report report;
  report.title = text("model in 8 bits");
  report.command = text("kinglet convert model -o model.kgl");
  report.source = text("model");
  report.output = text("model.kgl");
  report.facts = {{text("Architecture"), text("bert: 6 layers")}};
  report.before_name = text("fp32");
  report.after_name = text("int8");
  report.bytes_before = 91'478'720;
  report.bytes_after = 23'715'328;
  report.sizes = {{text("embeddings"), 47'700'000, 12'000'000},
                  {text("attention"), 14'200'000, 3'630'000},
                  {text("feed-forward"), 28'400'000, 7'220'000},
                  {text("heads"), 594'000, 155'000},
                  {text("norms"), 39'900, 39'900},
                  {text("tokenizer"), 0, 629'000}};
  report.data = text("dev.tsv: 872 texts");
  report.measurements = {{text("fp32"), text("accuracy"), 90.25, 88.2, 92.2, 872, 0, 0},
                         {text("pruned"), text("accuracy"), 89.1, 87.0, 91.1, 872, -2.1, -0.4},
                         {text("int8"), text("accuracy"), 90.48, 88.5, 92.3, 872, -0.23, 0.69}};
  report.resamples = 1000;
  report.seed = 1;
  report.agreement = {{text("equal labels"), text("99.54 %")}};
  report.changed = {{text("a text"), text("positive"), text("negative"), text("positive")}};
  report.changed_count = 4;
  report.latencies = {{text("16 tokens"), 2, 0.5}, {text("64 tokens"), 6.8, 2.0}, {text("128 tokens"), 14, 4.3}};
  report.latency_conditions = text("1 thread");
  for (int layer = 0; layer < 6; ++layer) {
    for (const char* name : {"query", "key", "value", "output", "up", "down"}) {
      report.sensitivities.push_back({text("layer." + std::to_string(layer) + "." + name),
                                      1e-3 * (1 + layer) * (name[0] == 'd' ? 20 : 1), layer == 2 && name[0] == 'd'});
    }
    PrunedLayer pruned;
    pruned.name = text("layer " + std::to_string(layer));
    for (int head = 0; head < 12; ++head) {
      pruned.heads.push_back((head + layer) % 3 != 0);
    }
    pruned.neurons = 1536;
    pruned.neurons_kept = 1536 - static_cast<uint32_t>(layer) * 208;
    pruned.removed = layer == 4;
    report.layers.push_back(pruned);
  }
  report.sensitivity_meaning = text("error of the logits");
  report.curve = {{1, 1, 90.25, 1}, {0.5, 0.499, 88.9, 1.9}, {0.2, 0.2, 79.8, 0}};
  report.curve_metric = text("accuracy");
  report.plan = {{text("1"), text("prune to 0.54"), 18'780'528, 18'512'000, 94, 81.4, 89.8, 89.68, text("")},
                 {text("1"), text("vocabulary: 6,352 tokens"), 8'969'861, 8'951'000, 43, 30, 88.1, 87.96,
                  text("good enough")},
                 {text("2"), text("recover"), 8'969'861, 0, 2023, -1, 0, 0, text("not tried")}};
  report.budget = 9'000'000;
  report.limit = 87.54;
  TrainingCurve curve = {text("recovery"), {}, text("accuracy"), {{15, 88.5, true}, {30, 88.4, false}}, 15};
  for (uint64_t step = 1; step <= 30; ++step) {
    curve.losses.push_back({step, 1.0 / static_cast<double>(step)});
  }
  report.training = {curve};
  report.notes = {text("seed 1")};
  return report;
}

}  // namespace

TEST_CASE("a full page has a section for everything, and the figures in words") {
  const std::string page = keep("full", full_report([](const std::string& text) { return text; }));
  for (const char* text :
       {"<h1><bdi>model in 8 bits</bdi></h1>", "23.7 MB instead of 91.5 MB in fp32, 3.9 times smaller",
        "3.4 times as fast", "accuracy 90.48 after 90.25, a difference that this data cannot tell from chance",
        "1 of the 4", "872 examples", "layer removed", "layer.5.down", "88.9", "1.90×", "seed 1",
        "≤ 8.97 MB", "34 min", "not tried", "The dashed line is the budget, 9.00 MB", "recovery", ">88.50<", "the best so far",
        "8/12 heads, 1,536/1,536"}) {
    CAPTURE(text);
    CHECK(has(page, text));
  }
  CHECK_FALSE(has(page, "was not measured"));
}

TEST_CASE("a page without data says what was not measured, and has no empty sections") {
  Report report;
  report.title = "bare";
  report.not_measured = "No data was given.";
  const std::string page = keep("bare", report);
  CHECK(has(page, "<b>Accuracy was not measured.</b> No data was given."));
  for (const char* section : {"Where the bytes are", "How fast", "Accuracy against work", "pruned", "sensitive", "planned",
                              "learnt"}) {
    CAPTURE(section);
    CHECK_FALSE(has(page, section));
  }
}

TEST_CASE("nothing that comes from files is markup, whatever place it is in") {
  const std::string page = keep("hostile", full_report([](const std::string& text) { return text + kHostile; }));
  CHECK_FALSE(has(page, "<script"));
  CHECK_FALSE(has(page, "<img"));
  CHECK_FALSE(has(page, "\x01"));
  CHECK_FALSE(has(page, "\xff"));
  CHECK_FALSE(has(page, "\xe2\x80\xae"));  // turns the direction of text
  CHECK(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST_CASE("numbers that make no sense draw something and break nothing") {
  Report report;
  report.title = "odd";
  const double nan = std::nan(""), inf = INFINITY;
  report.measurements = {
      {"a", "m", nan, 0, 0, 0, 0, 0}, {"b", "m", inf, -inf, inf, 0, 0, 0}, {"c", "n", 5, 5, 5, 1, 0, 0}};
  report.latencies = {{"x", 0, 0}, {"y", inf, nan}};
  report.sensitivities = {{"w", 0, false}, {"", nan, true}, {"999999999999", inf, false}, {"v", 1e-300, false}};
  report.curve = {{0, nan, nan, nan}, {1, inf, 1, -1}};
  report.sizes = {{"a", 0, 0}};
  report.layers = {{"l", {}, 0, 0, false}};
  report.plan = {{"", "", 0, 0, nan, inf, nan, -inf, ""}, {"1", "x", 0, UINT64_MAX, inf, nan, inf, inf, ""}};
  report.training = {{"t", {{0, nan}, {5, inf}, {UINT64_MAX, -inf}}, "m", {{0, nan, true}, {1, inf, false}}, 1}};
  const std::string page = keep("odd", report);
  CHECK(page.size() < 100'000);
  for (const char* text : {"\"nan", "\"inf", "\"-inf", "nan%", "inf%"}) {  // attributes
    CAPTURE(text);
    CHECK_FALSE(has(page, text));
  }
}

TEST_CASE("two checkpoints side by side") {
  CompareOptions options;
  options.before = options.after = kinglet::test::data_folder() / "tiny" / "bert-seqcls";
  const kinglet::test::TemporaryFolder folder;
  options.dev = folder / "dev.tsv";
  std::ofstream(options.dev) << "label\ttext\n0\ta small bird\n1\tthe sea\n2\tstocks fell\n";
  Report report;
  report.title = "compared";
  compare_checkpoints(options, &report);
  CHECK(report.source == "bert-seqcls");
  CHECK(report.bytes_before > 0);
  CHECK(report.bytes_before == report.bytes_after);
  uint64_t bytes = 0;
  for (const SizePart& part : report.sizes) {
    CHECK(part.before == part.after);
    bytes += part.after;
  }
  CHECK(bytes == report.bytes_after);
  REQUIRE(report.measurements.size() == 2);
  CHECK(report.measurements[0].value == report.measurements[1].value);
  CHECK(report.agreement[0].value == "100.00 %");
  CHECK(report.changed.empty());
  CHECK_FALSE(report.latencies.empty());
  keep("compared", report);
}

TEST_CASE("scales have whole steps around what they show") {
  const Scale scale = make_scale(88.19, 92.2, 5);
  CHECK(scale.low == doctest::Approx(88));
  CHECK(scale.high == doctest::Approx(93));
  CHECK(scale.step == doctest::Approx(1));
  CHECK(scale.decimals() == 0);
  CHECK(make_scale(0.5, 0.5, 5).share(0.5) == doctest::Approx(0.5));
  CHECK(make_scale(0.811, 0.824, 4).decimals() == 3);
}

TEST_CASE("bytes, times and counts for people") {
  CHECK(bytes_text(999) == "999 bytes");
  CHECK(bytes_text(1000) == "1.00 KB");
  CHECK(bytes_text(23'715'328) == "23.7 MB");
  CHECK(bytes_text(999'999) == "1.00 MB");
  CHECK(bytes_text(UINT64_MAX) == "18446744 TB");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(grouped(12) == "12");
  CHECK(number_text("%.2f", -0.001) == "0.00");
  CHECK(number_text("%.1f", -2.5) == "−2.5");
  CHECK(escape_html("äöü", 2) == "äö…");
}

TEST_CASE("SHA-256 as FIPS 180-4 has it") {
  const auto hash = [](const std::string& text, size_t piece) {
    Sha256 sha;
    for (size_t i = 0; i < text.size(); i += piece) {
      sha.update(text.data() + i, std::min(piece, text.size() - i));
    }
    return sha.finish();
  };
  CHECK(hash("", 1) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash("abc", 2) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  for (const size_t piece : {1, 7, 55, 64, 100}) {
    CHECK(hash(two, piece) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hash(std::string(1'000'000, 'a'), piece * 1000 + 13) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}
