// The folder beside the output in which a run keeps what it needs to go on after it was stopped.
#pragma once

#include <filesystem>
#include <string>

#include "train/settings.h"

namespace kinglet::train {

//   settings.json    what the run was begun with
//   start/           the checkpoint that training starts from
//   tokenizer.kgl    start/, compiled
//   teacher.logits   what the teacher says of every text
//   state            step, weights and moments (state_file.h)
//   best/            the model with the best figure on dev
//   log.jsonl        journal.h
class Workspace {
 public:
  // Makes the folder, or opens that of an earlier run with the same settings. Throws convert::Error when another
  // process uses it, when it belongs to other settings (it names them), or holds something else. Half-written leftovers
  // of a killed process are removed.
  explicit Workspace(const Settings& settings);
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();

  std::filesystem::path path(const char* name) const { return folder_ / name; }
  // Whether an earlier run left its settings here.
  bool resumed() const { return resumed_; }
  // Removes the folder.
  void finish();

 private:
  void begin(const Settings& settings);
  void compare(const Settings& settings) const;

  std::filesystem::path folder_;
  int lock_ = -1;
  bool resumed_ = false;
};

}  // namespace kinglet::train
