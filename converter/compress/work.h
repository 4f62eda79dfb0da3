// The folder beside the output in which `compress` keeps what it has made, so that a run that was stopped goes on.
//
//   settings.json    what the run was begun with
//   notes.json       what was found out: rates, token counts, figures of checkpoints
//   NAME/            a checkpoint that is finished, named after the passes that made it
//   NAME.training/   one that is not (train/workspace.h)
//   best.kgl         when nothing was good enough: the best of what was small enough
#pragma once

#include <filesystem>
#include <string>

#include "base/json_file.h"

namespace kinglet::compress {

class WorkFolder {
 public:
  // Makes the folder, or opens that of an earlier run with the same settings; `fresh` forgets that. Throws
  // convert::Error when another process uses it, when it belongs to other settings (it names them), or holds something
  // else.
  WorkFolder(const std::filesystem::path& folder, const convert::Json& settings, bool fresh);
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  bool resumed() const { return resumed_; }

  // What was found out under a name, or null.
  const convert::Json* note(const std::string& name) const;
  // Kept at once, whole or not at all. Throws convert::Error.
  void set_note(const std::string& name, convert::Json value);

  // Removes the folder.
  void finish();

 private:
  void begin(const convert::Json& settings, bool fresh);

  std::filesystem::path folder_;
  convert::Json notes_ = convert::Json::object();
  int lock_ = -1;
  bool resumed_ = false;
};

}  // namespace kinglet::compress
