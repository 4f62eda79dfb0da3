// Arithmetic of budgets, and the order of plans.
#include "compress/plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "report/html.h"

namespace kinglet::compress {

using convert::formatted;
using convert::grouped;

namespace {

// Bytes of heads and neurons at most, when they may do so much work: what has most bytes for its work fills it first.
double most_bytes(const EncoderBytes& encoder, double work) {
  const bool neurons_first = encoder.neuron_bytes * encoder.head_work >= encoder.head_bytes * encoder.neuron_work;
  double bytes = 0;
  for (const bool neurons : {neurons_first, !neurons_first}) {
    const double each = neurons ? encoder.neuron_work : encoder.head_work;
    const double count = std::min(neurons ? encoder.neurons : encoder.heads, work / each);
    bytes += count * (neurons ? encoder.neuron_bytes : encoder.head_bytes);
    work -= count * each;
  }
  return bytes;
}

double whole_work(const EncoderBytes& encoder) {
  return encoder.heads * encoder.head_work + encoder.neurons * encoder.neuron_work;
}

// In hundredths: the smallest share that pruning can leave and that is worth trying.
int least_hundredths(const EncoderBytes& encoder) {
  const double share = encoder.least_work / whole_work(encoder);
  return std::max(static_cast<int>(std::lround(100 * kLeastTarget)), static_cast<int>(std::ceil(100 * share)) + 1);
}

bool can_prune(const Facts& facts) { return facts.encoder.heads > 0; }

// How much slower or faster a step is than the source forwards: a teacher reads along, the student goes back as well.
constexpr double kForwardAndBack = 3;

double measuring(const Rates& rates, double work) { return rates.convert + rates.evaluate * work; }

// What comes behind the passes that make the model: fewer tokens, and 8 bits.
void finish_plan(const Facts& facts, const VocabularyChoice& vocabulary, uint64_t bytes, double work, Plan* plan) {
  const Rates& rates = facts.rates;
  if (vocabulary.min_count > 0) {
    Pass pass;
    pass.kind = PassKind::vocabulary;
    pass.min_count = vocabulary.min_count;
    pass.tokens = vocabulary.tokens;
    pass.bytes = bytes;
    pass.seconds = rates.vocabulary + rates.write + measuring(rates, work);
    plan->passes.push_back(pass);
  }
  Pass rounding;
  rounding.kind = PassKind::int8;
  rounding.bytes = bytes;
  rounding.seconds = rates.convert / 2;
  plan->passes.push_back(rounding);
  if (bytes + facts.calibration_bytes <= facts.budget) {
    Pass calibrate;
    calibrate.kind = PassKind::calibrate;
    calibrate.bytes = bytes + facts.calibration_bytes;
    calibrate.seconds = rates.calibrate * work + rates.evaluate * work;
    plan->passes.push_back(calibrate);
  }
}

Plan pruning_plan(const Facts& facts, const VocabularyChoice& vocabulary, double target, bool recover) {
  Plan plan;
  const VocabularyChoice& all = facts.vocabularies.front();
  const Rates& rates = facts.rates;
  if (target < 1) {
    Pass prune;
    prune.kind = PassKind::prune;
    prune.target = target;
    prune.bytes = pruned_bytes(facts, all, target);
    prune.seconds = rates.prune + rates.write + measuring(rates, target);
    plan.passes.push_back(prune);
    if (recover) {
      Pass pass = prune;
      pass.kind = PassKind::recover;
      pass.seconds = rates.epoch_start + rates.pass * (1 + kForwardAndBack * target) + measuring(rates, target);
      plan.passes.push_back(pass);
    }
  }
  finish_plan(facts, vocabulary, pruned_bytes(facts, vocabulary, target), target, &plan);
  return plan;
}

Plan student_plan(const Facts& facts, const StudentChoice& student, const VocabularyChoice& vocabulary) {
  Plan plan;
  Pass distill;
  distill.kind = PassKind::distill;
  distill.student = student.shape;
  distill.bytes = bytes_of(student.bytes, facts.vocabularies.front());
  const Rates& rates = facts.rates;
  distill.seconds = rates.epoch_start + rates.pass * (1 + kStudentEpochs * kForwardAndBack * student.work) +
                    kStudentEpochs * measuring(rates, student.work);
  plan.passes.push_back(distill);
  finish_plan(facts, vocabulary, bytes_of(student.bytes, vocabulary), student.work, &plan);
  return plan;
}

struct Candidate {
  const VocabularyChoice* vocabulary;
  double target;
};

// Pruning with every vocabulary with which it fits, as make_plans orders it.
std::vector<Candidate> pruning_candidates(const Facts& facts) {
  std::vector<Candidate> candidates;
  for (const VocabularyChoice& vocabulary : facts.vocabularies) {
    const double target = largest_target(facts, vocabulary);
    if (target > 0) {
      candidates.push_back({&vocabulary, target});
    }
    if (target == 1) {
      break;  // fewer tokens can only be worse
    }
  }
  const auto rank = [](const Candidate& candidate) {
    return candidate.target == 1 ? 0 : candidate.target >= kMildTarget ? 1 : 2;
  };
  std::stable_sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : rank(a) == 2 && a.target > b.target;
  });
  return candidates;
}

// The first by min_count that an epoch brings back, or else the one with most of its encoder; null: none is pruned.
const Candidate* candidate_to_recover(const std::vector<Candidate>& candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.target == 1) {
      continue;
    }
    const bool enough = candidate.target >= kRecovered;
    const bool better = best == nullptr || (enough && best->target >= kRecovered
                                                ? candidate.vocabulary->min_count < best->vocabulary->min_count
                                                : candidate.target > best->target);
    best = better ? &candidate : best;
  }
  return best;
}

// Of the students with fewer layers, and of the narrower ones, the largest that fits, with as many tokens as it may
// have.
std::vector<Plan> student_plans(const Facts& facts) {
  std::vector<Plan> plans;
  for (const bool layers_only : {true, false}) {
    const StudentChoice* best = nullptr;
    const VocabularyChoice* tokens = nullptr;
    for (const StudentChoice& student : facts.students) {
      if (student.shape.starts_with("layers=") != layers_only || (best != nullptr && student.work <= best->work)) {
        continue;
      }
      for (const VocabularyChoice& vocabulary : facts.vocabularies) {
        if (bytes_of(student.bytes, vocabulary) <= facts.budget) {
          best = &student;
          tokens = &vocabulary;
          break;
        }
      }
    }
    if (best != nullptr) {
      plans.push_back(student_plan(facts, *best, *tokens));
    }
  }
  return plans;
}

}  // namespace

bool Plan::trains() const {
  return std::any_of(passes.begin(), passes.end(), [](const Pass& pass) {
    return pass.kind == PassKind::recover || pass.kind == PassKind::distill;
  });
}

uint64_t Plan::bytes() const {
  const Pass& last = passes.back();
  return last.kind == PassKind::calibrate ? passes[passes.size() - 2].bytes : last.bytes;
}

double Plan::seconds() const {
  double sum = 0;
  for (const Pass& pass : passes) {
    sum += pass.kind == PassKind::calibrate ? 0 : pass.seconds;
  }
  return sum;
}

uint64_t bytes_of(const FileBytes& file, const VocabularyChoice& vocabulary) {
  return static_cast<uint64_t>(std::ceil(file.fixed + file.per_token * vocabulary.tokens)) + vocabulary.tokenizer_bytes;
}

uint64_t pruned_bytes(const Facts& facts, const VocabularyChoice& vocabulary, double target) {
  const uint64_t whole = bytes_of(facts.source, vocabulary);
  if (target >= 1) {
    return whole;
  }
  const EncoderBytes& encoder = facts.encoder;
  const double all = encoder.heads * encoder.head_bytes + encoder.neurons * encoder.neuron_bytes;
  const double gone = all - most_bytes(encoder, target * whole_work(encoder));
  constexpr double kRounding = 1e-6;  // of the sums
  return whole - static_cast<uint64_t>(std::max(std::floor(gone + kRounding), 0.0));
}

double largest_target(const Facts& facts, const VocabularyChoice& vocabulary) {
  if (bytes_of(facts.source, vocabulary) <= facts.budget) {
    return 1;
  }
  for (int hundredths = can_prune(facts) ? 99 : 0; hundredths > 0 && hundredths >= least_hundredths(facts.encoder);
       --hundredths) {
    if (pruned_bytes(facts, vocabulary, hundredths / 100.0) <= facts.budget) {
      return hundredths / 100.0;
    }
  }
  return 0;
}

std::vector<Plan> make_plans(const Facts& facts) {
  std::vector<Plan> plans, training;
  const std::vector<Candidate> candidates = pruning_candidates(facts);
  for (const Candidate& candidate : candidates) {
    plans.push_back(pruning_plan(facts, *candidate.vocabulary, candidate.target, false));
  }
  // A model that is small enough without either loses what it loses by rounding, which no training mends.
  const bool unchanged = !candidates.empty() && candidates[0].target == 1 && candidates[0].vocabulary->min_count == 0;
  if (facts.trains && !unchanged) {
    if (const Candidate* pruned = candidate_to_recover(candidates)) {
      training.push_back(pruning_plan(facts, *pruned->vocabulary, pruned->target, true));
    }
    for (Plan& plan : student_plans(facts)) {
      training.push_back(std::move(plan));
    }
    // By what they compute, so that the order does not depend on a clock.
    const auto work = [&](const Plan& plan) {
      for (const Pass& pass : plan.passes) {
        if (pass.kind == PassKind::recover) {
          return 1 + kForwardAndBack * pass.target;
        }
        for (const StudentChoice& student : facts.students) {
          if (pass.kind == PassKind::distill && student.shape == pass.student) {
            return 1 + kStudentEpochs * kForwardAndBack * student.work;
          }
        }
      }
      return 0.0;
    };
    std::stable_sort(training.begin(), training.end(),
                     [&](const Plan& a, const Plan& b) { return work(a) < work(b); });
    plans.insert(plans.end(), training.begin(), training.end());
  }
  return plans;
}

Least least_bytes(const Facts& facts) {
  Least least = {UINT64_MAX, ""};
  for (const VocabularyChoice& vocabulary : facts.vocabularies) {
    const std::string tokens = vocabulary.min_count == 0 ? "" : " and " + grouped(vocabulary.tokens) + " tokens";
    const auto offer = [&](uint64_t bytes, const std::string& how) {
      if (bytes < least.bytes) {
        least = {bytes, how + tokens};
      }
    };
    const double target = can_prune(facts) ? least_hundredths(facts.encoder) / 100.0 : 1;
    offer(pruned_bytes(facts, vocabulary, target),
          target < 1 ? formatted("%.2f of the encoder's operations", target) : "8 bits");
    for (const StudentChoice& student : facts.students) {
      if (facts.trains) {
        offer(bytes_of(student.bytes, vocabulary), "a student " + student.shape);
      }
    }
  }
  return least;
}

uint64_t parse_bytes(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || !(number > 0)) {
    return 0;
  }
  std::string unit(stop, end);
  unit.erase(std::remove(unit.begin(), unit.end(), ' '), unit.end());
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr double kKilo = 1000, kKibi = 1024;
  const std::pair<const char*, double> units[] = {
      {"", 1},           {"b", 1},          {"bytes", 1},     {"k", kKilo},
      {"kb", kKilo},     {"kib", kKibi},    {"m", kKilo * kKilo}, {"mb", kKilo * kKilo},
      {"mib", kKibi * kKibi}, {"gb", kKilo * kKilo * kKilo}, {"gib", kKibi * kKibi * kKibi}};
  for (const auto& [name, factor] : units) {
    if (unit == name && number * factor < 1e15) {
      return static_cast<uint64_t>(number * factor);
    }
  }
  return 0;
}

bool parse_loss(const std::string& text, Loss* loss) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, loss->value);
  const std::string rest(error == std::errc() ? stop : text.data(), end);
  loss->relative = rest == "%" || rest == " %";
  return error == std::errc() && (rest.empty() || loss->relative) && loss->value >= 0 && loss->value <= 100;
}

std::string describe(const Pass& pass) {
  switch (pass.kind) {
    case PassKind::prune:
      return formatted("prune to %.2f of the encoder's operations", pass.target);
    case PassKind::recover:
      return "recover: an epoch from the unpruned model";
    case PassKind::distill:
      return "distil into " + pass.student + formatted(", %g epochs", kStudentEpochs);
    case PassKind::vocabulary:
      return "vocabulary: " + grouped(pass.tokens) + " tokens, " +
             (pass.min_count == 1 ? "all that are seen"
                                  : "those seen " + std::to_string(pass.min_count) + " times or more");
    case PassKind::int8:
      return "int8";
    case PassKind::calibrate:
      return "int8 calibrated on texts, where rounding costs too much";
  }
  return "";
}

}  // namespace kinglet::compress
