// Which passes bring a model under a budget, in which order they are worth trying, and what each should weigh and take:
// arithmetic on facts that others find out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::compress {

// An int8 file by its number of tokens, its tokenizer not counted.
struct FileBytes {
  double fixed = 0, per_token = 0;
};

// What pruning chooses from, in all layers together; nothing where a model cannot be pruned.
struct EncoderBytes {
  double heads = 0, neurons = 0;
  double head_bytes = 0, neuron_bytes = 0;  // of each, in a file
  double head_work = 0, neuron_work = 0;    // multiplications per token
  double least_work = 0;                    // of what must stay
};

struct VocabularyChoice {
  uint32_t min_count = 0;  // how often a token must be seen; 0: all of them stay
  uint32_t tokens = 0;
  uint64_t tokenizer_bytes = 0;
};

struct StudentChoice {
  std::string shape;  // as train/student.h reads it
  FileBytes bytes;
  double work = 1;  // of the source's
};

// Seconds that were measured on this machine.
struct Rates {
  double vocabulary = 0;   // to count tokens
  double write = 0;        // to write a checkpoint
  double convert = 0;      // to int8 and fp32
  double evaluate = 0;     // the source on dev, in both
  double calibrate = 0;    // to convert with texts
  double prune = 0;        // heads and neurons, whatever the target
  double pass = 0;         // all texts once through the source and back no more than forwards
  double epoch_start = 0;  // kinglet-train until its first step
};

struct Facts {
  uint64_t budget = 0;
  FileBytes source;
  EncoderBytes encoder;
  uint64_t calibration_bytes = 0;
  std::vector<VocabularyChoice> vocabularies;  // the untouched one first, then by min_count
  std::vector<StudentChoice> students;
  bool trains = false;  // there is something to train with
  Rates rates;
};

enum class PassKind : uint8_t { prune, recover, distill, vocabulary, int8, calibrate };

struct Pass {
  PassKind kind = PassKind::int8;
  double target = 0;       // prune
  std::string student;     // distill
  uint32_t min_count = 0;  // vocabulary
  uint32_t tokens = 0;     // vocabulary: what is left
  uint64_t bytes = 0;      // of an int8 file behind this pass, at most
  double seconds = 0;      // with what is measured behind it
};

// Pruning comes first, then training, then the vocabulary, for a teacher and its student have the same tokens. The last
// pass may be `calibrate`, which is only wanted where plain rounding costs too much.
struct Plan {
  std::vector<Pass> passes;
  bool trains() const;
  uint64_t bytes() const;  // before calibration
  double seconds() const;  // likewise
};

constexpr double kLeastTarget = 0.1;  // of what pruning leaves
constexpr double kMildTarget = 0.4;   // pruning to this share costs less than tokens that are seen often
constexpr double kRecovered = 0.3;    // an epoch of training brings back what pruning to this share has lost
constexpr double kStudentEpochs = 3;

uint64_t bytes_of(const FileBytes& file, const VocabularyChoice& vocabulary);

// What a model pruned to this share of its encoder's work weighs at most, whatever mixture of heads and neurons goes.
uint64_t pruned_bytes(const Facts& facts, const VocabularyChoice& vocabulary, double target);

// The largest target, in hundredths, with which a file is within the budget; 1: unpruned; 0: none is.
double largest_target(const Facts& facts, const VocabularyChoice& vocabulary);

// The plans in the order in which they are to be tried: those without training first, and of these the ones that change
// least: no pruning of heads before pruning, rare tokens before frequent ones while pruning is mild, and then whatever
// leaves most of the encoder. Those with training follow by what they compute; recovery is of the pruning that lets
// most tokens stay, as far as it can be brought back.
std::vector<Plan> make_plans(const Facts& facts);

// The least that any plan could reach, and by what.
struct Least {
  uint64_t bytes = 0;
  std::string how;
};
Least least_bytes(const Facts& facts);

// "9MB", "8.6 MiB", "512kB", "1000000": bytes; 0 for what is none of these.
uint64_t parse_bytes(const std::string& text);

// "3%": per cent of the figure; "2.5": points.
struct Loss {
  double value = 0;
  bool relative = false;
  // The least figure that is good enough.
  double limit(double figure) const { return relative ? figure * (1 - value / 100) : figure - value; }
};
// Whether `text` is one.
bool parse_loss(const std::string& text, Loss* loss);

// "prune to 0.46 of the encoder's operations".
std::string describe(const Pass& pass);

}  // namespace kinglet::compress
