// The metrics of eval against numbers worked out by hand.
#include "eval/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

using namespace kinglet::eval;
using Labels = std::vector<uint32_t>;
using Numbers = std::vector<double>;

namespace {

// Two labels: TP 2, FN 1, FP 1, TN 2 of label 1.
const Labels kTruth2 = {1, 1, 1, 0, 0, 0}, kPredicted2 = {1, 1, 0, 1, 0, 0};
// Three labels; confusion matrix (rows: truth) [[2,1,0],[0,1,1],[1,0,1]].
const Labels kTruth3 = {0, 0, 0, 1, 1, 2, 2}, kPredicted3 = {0, 0, 1, 1, 2, 0, 2};

}  // namespace

TEST_CASE("accuracy counts equal labels") {
  CHECK(count_equal(kTruth3, kPredicted3) == 4);
  CHECK(accuracy(kTruth3, kPredicted3) == doctest::Approx(4.0 / 7));
  CHECK(accuracy({1}, {1}) == 1);
  CHECK(accuracy({1}, {0}) == 0);
}

TEST_CASE("f1 of one label") {
  CHECK(f1_of(kTruth2, kPredicted2, 1) == doctest::Approx(2.0 * 2 / (2 * 2 + 1 + 1)));
  CHECK(f1_of(kTruth3, kPredicted3, 0) == doctest::Approx(2.0 * 2 / (3 + 3)));
  CHECK(f1_of(kTruth3, kPredicted3, 1) == doctest::Approx(2.0 * 1 / (2 + 2)));
  CHECK(f1_of({0, 0}, {0, 0}, 1) == 0);  // occurs on neither side
}

TEST_CASE("f1 is that of label 1 for two labels, and macro for more") {
  CHECK(f1(kTruth2, kPredicted2, 2) == doctest::Approx(2.0 / 3));
  CHECK(f1(kTruth3, kPredicted3, 3) == doctest::Approx((2.0 / 3 + 0.5 + 0.5) / 3));
  CHECK(f1_macro(kTruth2, kPredicted2, 2) == doctest::Approx(2.0 / 3));
}

TEST_CASE("macro f1 leaves out labels that occur nowhere, but not those only predicted") {
  CHECK(f1_macro({0, 0, 1}, {0, 0, 1}, 5) == doctest::Approx(1));
  CHECK(f1_macro({0, 0, 0, 0}, {0, 0, 0, 2}, 5) == doctest::Approx((6.0 / 7 + 0) / 2));
}

TEST_CASE("micro f1 is accuracy") { CHECK(f1_micro(kTruth3, kPredicted3) == doctest::Approx(4.0 / 7)); }

TEST_CASE("matthews") {
  // Two labels: (TP·TN − FP·FN)/√((TP+FP)(TP+FN)(TN+FP)(TN+FN)).
  CHECK(matthews(kTruth2, kPredicted2, 2) == doctest::Approx((2.0 * 2 - 1 * 1) / std::sqrt(3.0 * 3 * 3 * 3)));
  // Three: right 4 of 7; counts 3,2,2 and 3,2,2: (4·7 − 17)/(49 − 17).
  CHECK(matthews(kTruth3, kPredicted3, 3) == doctest::Approx(11.0 / 32));
  CHECK(matthews({0, 1, 1}, {0, 1, 1}, 2) == doctest::Approx(1));
  CHECK(matthews({0, 1, 0, 1}, {1, 0, 1, 0}, 2) == doctest::Approx(-1));
  CHECK(matthews({0, 1}, {1, 1}, 2) == 0);  // undefined: a constant side
}

TEST_CASE("pearson") {
  CHECK(*pearson({1, 2, 3}, {2, 4, 6}) == doctest::Approx(1));
  CHECK(*pearson({1, 2, 3}, {3, 2, 1}) == doctest::Approx(-1));
  CHECK(*pearson({1, 2, 3, 4}, {1, 3, 2, 4}) == doctest::Approx(0.8));
  CHECK(*pearson({1e9, 1e9 + 1, 1e9 + 2}, {5, 6, 8}) == doctest::Approx(3 / std::sqrt(2 * (14.0 / 3))));
  CHECK_FALSE(pearson({1}, {1}).has_value());
  CHECK_FALSE(pearson({}, {}).has_value());
  CHECK_FALSE(pearson({1, 1, 1}, {1, 2, 3}).has_value());
  CHECK_FALSE(pearson({1, 2, 3}, {0.1, 0.1, 0.1}).has_value());
}

TEST_CASE("ranks average ties") {
  CHECK(ranks({}).empty());
  CHECK(ranks({5}) == Numbers{1});
  CHECK(ranks({10, 30, 20}) == Numbers{1, 3, 2});
  CHECK(ranks({2, 1, 2, 2, 0}) == Numbers{4, 2, 4, 4, 1});
  CHECK(ranks({7, 7}) == Numbers{1.5, 1.5});
  CHECK(ranks({0.0, -0.0, 1}) == Numbers{1.5, 1.5, 3});
}

TEST_CASE("spearman") {
  CHECK(*spearman({1, 2, 3, 4}, {1, 8, 27, 64}) == doctest::Approx(1));
  // Ranks 1,2,3,4,5 and 2,1,4,3,5: 1 − 6·Σd²/(n(n²−1)) = 1 − 6·4/120.
  CHECK(*spearman({1, 2, 3, 4, 5}, {20, 10, 40, 30, 50}) == doctest::Approx(0.8));
  // A tie: ranks 1,2.5,2.5,4 against 1,2,3,4: 4.5/√(4.5·5).
  CHECK(*spearman({1, 2, 2, 3}, {1, 2, 3, 4}) == doctest::Approx(4.5 / std::sqrt(4.5 * 5)));
  CHECK_FALSE(spearman({1, 1}, {1, 2}).has_value());
}

TEST_CASE("spearman does not change under any rising function, nor under any order of the examples") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    Numbers a(40), b(40);
    for (size_t i = 0; i < a.size(); ++i) {
      a[i] = static_cast<double>(random() % 20);
      b[i] = static_cast<double>(random() % 20) + a[i];
    }
    const double wanted = *spearman(a, b);
    Numbers curved = a;
    for (double& x : curved) {
      x = std::exp(x / 10) - 3;
    }
    CHECK(*spearman(curved, b) == doctest::Approx(wanted));
    std::vector<size_t> order(a.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    Numbers c, d;
    for (const size_t i : order) {
      c.push_back(a[i]);
      d.push_back(b[i]);
    }
    CHECK(*spearman(c, d) == doctest::Approx(wanted));
    CHECK(*spearman(d, c) == doctest::Approx(wanted));
  }
}
