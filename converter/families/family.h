// A family turns a Hugging Face config and tensors into a program. Each is one file with one build function, listed in
// family.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "ir/model_ir.h"
#include "readers/checkpoint.h"

namespace kinglet::convert {

// How a model's token vectors become one embedding.
struct Embedding {
  fmt::PoolKind pooling = fmt::PoolKind::mean;
  bool normalize = false;
};

struct BuildRequest {
  JsonObject config;
  Checkpoint checkpoint;
  std::string source;               // the folder, for errors
  std::optional<fmt::Task> task;    // instead of what the architecture says
  std::vector<std::string> labels;  // instead of id2label; empty: id2label
  bool encoder_only = false;        // a sentence-transformers folder: any head in the checkpoint is left out
  Embedding embedding;              // for task embed
};

// Reads model_type, or infers it where there is none (infer.h), and calls its family. The result has everything but the
// limits and prompts that other files give. Throws Error; for an unknown model_type it lists the known ones.
ModelIR build_model(BuildRequest request);

// The model types whose layers may have widths of their own: heads by pruned_heads, neurons by
// kinglet_intermediate_sizes. The others refuse these fields.
std::vector<std::string> prunable_families();

// families/NAME.cc
ModelIR build_albert(BuildRequest& request);
ModelIR build_bert(BuildRequest& request);
ModelIR build_camembert(BuildRequest& request);  // roberta.cc
ModelIR build_deberta(BuildRequest& request);
ModelIR build_deberta_v2(BuildRequest& request);  // deberta.cc
ModelIR build_distilbert(BuildRequest& request);
ModelIR build_electra(BuildRequest& request);
ModelIR build_mobilebert(BuildRequest& request);
ModelIR build_modernbert(BuildRequest& request);
ModelIR build_mpnet(BuildRequest& request);
ModelIR build_roberta(BuildRequest& request);
ModelIR build_xlm(BuildRequest& request);
ModelIR build_xlm_roberta(BuildRequest& request);  // roberta.cc

}  // namespace kinglet::convert
