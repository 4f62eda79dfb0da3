// A folder with a lock and two files of JSON.
#include "compress/work.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "writer/output_file.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using convert::Json;
using convert::refuse;

namespace {

constexpr char kSettings[] = "settings.json", kNotes[] = "notes.json", kLock[] = "lock";

void write_json(const fs::path& path, const Json& json) {
  const std::string text = json.dump(1) + "\n";
  convert::OutputFile file(path);
  file.write(0, text.data(), text.size());
  file.commit();
}

// Killed before its settings were written, a run leaves a lock and temporary files only.
void check_ours(const fs::path& folder) {
  if (!fs::exists(folder) || fs::exists(folder / kSettings)) {
    return;
  }
  if (!fs::is_directory(folder)) {
    refuse(folder.string(), ": is not a folder, but its name is needed for one");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name != kLock && !name.starts_with(".kinglet-")) {
      refuse(folder.string(),
             ": is not the folder of a `kinglet compress` run, but its name is needed for one; it holds ",
             convert::quote(name));
    }
  }
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& folder, const Json& settings, bool fresh) : folder_(folder) {
  check_ours(folder);
  std::error_code error;
  fs::create_directory(folder_, error);
  if (error) {
    refuse(folder_.string(), ": cannot be made: ", error.message());
  }
  lock_ = open((folder_ / kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) {
    refuse(folder_.string(), ": cannot be written: ", std::strerror(errno));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    close(lock_);
    refuse(folder_.string(), ": ", reason == EWOULDBLOCK ? "another process is at work there" : std::strerror(reason));
  }
  try {
    begin(settings, fresh);
  } catch (...) {
    close(lock_);
    throw;
  }
}

WorkFolder::~WorkFolder() {
  if (lock_ >= 0) {
    close(lock_);
  }
}

void WorkFolder::begin(const Json& settings, bool fresh) {
  resumed_ = fs::exists(folder_ / kSettings) && !fresh;
  for (const fs::directory_entry& entry : std::vector<fs::directory_entry>(fs::directory_iterator(folder_), {})) {
    const std::string name = entry.path().filename().string();
    if (name != kLock && (!resumed_ || name.starts_with(".kinglet-"))) {
      fs::remove_all(entry.path());
    }
  }
  if (!resumed_) {
    write_json(folder_ / kSettings, settings);
    return;
  }
  const Json before = convert::JsonObject::load(folder_ / kSettings).json();
  std::vector<std::string> different;
  for (const auto& [key, value] : settings.items()) {
    if (!before.contains(key) || before[key] != value) {
      different.push_back(key + " (" + (before.contains(key) ? before[key].dump() : "none") + " then, " + value.dump() +
                          " now)");
    }
  }
  if (!different.empty()) {
    refuse(folder_.string(), ": holds a run with another ", convert::list_text(different),
           "; repeat that command to go on with it, or give --fresh to begin anew");
  }
  if (fs::exists(folder_ / kNotes)) {
    notes_ = convert::JsonObject::load(folder_ / kNotes).json();
  }
}

const Json* WorkFolder::note(const std::string& name) const {
  const auto found = notes_.find(name);
  return found == notes_.end() ? nullptr : &*found;
}

void WorkFolder::set_note(const std::string& name, Json value) {
  notes_[name] = std::move(value);
  write_json(folder_ / kNotes, notes_);
}

void WorkFolder::finish() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace kinglet::compress
