// What transformers calls the classes and tensors of the families that can be trained, and the parts of checkpoint
// folders that follow from it: heads, new weights, config fields.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/model_ir.h"
#include "train/start.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::train {

struct FamilyNames {
  const char* architecture;  // ModelIR.architecture, and model_type
  const char* prefix;        // of the encoder's tensors
  const char* classes;       // before ForSequenceClassification
  const char* tokenizer;     // what AutoTokenizer takes for this model_type
  // Of sequence classification: the matrix from hidden to hidden (empty: the pooler), and the one to the labels.
  const char* dense;
  const char* classifier;
  const char* pooler;  // the encoder's own; null: none
};

// Throws convert::Error for others.
const FamilyNames& names_of(const std::string& architecture);
std::vector<std::string> known_families();

// Whether a tensor, by its name without prefix, is the encoder's, and the pooler's.
bool is_encoders(const std::string& name);
bool is_poolers(const std::string& name);

// Adds tensors of new weights to a folder, one seed for each. Names are without prefix.
class Drawer {
 public:
  Drawer(convert::CheckpointFolder& folder, std::string architecture, double deviation, uint64_t seed)
      : folder_(folder), architecture_(std::move(architecture)), deviation_(deviation), seed_(seed) {}

  void table(const std::string& name, uint32_t rows, uint32_t columns);   // normal numbers
  void matrix(const std::string& name, uint32_t rows, uint32_t columns);  // a table, and a bias of zeros
  void norm(const std::string& name, uint32_t width);                     // ones and zeros

 private:
  void constant(const std::string& name, uint32_t size, float value);
  void add(const std::string& name, std::vector<uint32_t> shape, std::vector<float> values);

  convert::CheckpointFolder& folder_;
  std::string architecture_;
  double deviation_;
  uint64_t seed_;
};

// A head for the goal on `hidden` numbers; a pooler, too, where classification needs one and there is none.
void draw_head(Drawer& drawer, const FamilyNames& family, const Goal& goal, uint32_t hidden, bool has_pooler);

// Class, labels and type of problem in config.json.
void write_goal(convert::Json& config, const FamilyNames& family, const Goal& goal);

// Leaves out what makes a sentence-transformers folder an embedder, and names the tokenizer's class, which otherwise
// follows from model_type.
void keep_tokenizer_only(convert::CheckpointFolder& folder, const FamilyNames& source);

// The width of what the encoder gives.
uint32_t hidden_width(const convert::ModelIR& model);

}  // namespace kinglet::train
