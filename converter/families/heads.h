// The heads that transformers puts on an encoder, and which of them a checkpoint, or --task, asks for.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "families/family.h"
#include "families/weights.h"

namespace kinglet::convert {

enum class Head : uint8_t {
  encoder,
  masked_lm,
  pretraining,  // masked LM and a pair of sentences
  next_sentence,
  sequence,
  token,
  question,
  replaced_tokens,  // ELECTRA's pre-training
};

// Those of BERT.
extern const std::set<Head> kBertHeads;

// The names on the command line: embed, classify, tag, answer, fill-mask. Throws Error for any other.
fmt::Task parse_task(const std::string& name);
const char* task_name(fmt::Task task);

// What a head does when nothing else is asked for.
fmt::Task natural_task(Head head);

// The head to build, from the first of "architectures" ("Bert" and then one of the names that transformers gives to
// `heads`; `family` is "Bert"), or from `guess` where there is none, and the task that was asked for. Throws Error for
// an unknown architecture, and for a task that the head cannot do.
Head choose_head(const BuildRequest& request, const std::string& family, Head guess,
                 const std::set<Head>& heads = kBertHeads);

}  // namespace kinglet::convert
