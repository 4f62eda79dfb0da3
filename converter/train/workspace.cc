// A folder with a lock.
#include "train/workspace.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "writer/output_file.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::Json;
using convert::refuse;

namespace {

constexpr char kSettings[] = "settings.json";

fs::path folder_of(const Settings& settings) {
  fs::path output = fs::path(settings.output).lexically_normal();
  if (output.filename().empty()) {
    output = output.parent_path();
  }
  if (output.filename().empty() || output.filename() == "." || output.filename() == "..") {
    refuse("the output ", convert::quote(settings.output), " is not the name of a folder to make");
  }
  return output.replace_filename(output.filename().string() + ".training");
}

void write_text(const fs::path& path, const std::string& text) {
  convert::OutputFile file(path);
  file.write(0, text.data(), text.size());
  file.commit();
}

}  // namespace

Workspace::Workspace(const Settings& settings) : folder_(folder_of(settings)) {
  std::error_code error;
  if (fs::exists(folder_, error) && !fs::exists(folder_ / kSettings, error) &&
      !(fs::is_directory(folder_, error) && fs::is_empty(folder_, error))) {
    // Killed before its settings were written, a run leaves a lock and temporary files only.
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (name != "lock" && !name.starts_with(".kinglet-")) {
        refuse(folder_.string(), ": is not the folder of a training run, but its name is needed for one; it holds ",
               convert::quote(name));
      }
    }
  }
  fs::create_directory(folder_, error);
  if (error) {
    refuse(folder_.string(), ": cannot be made: ", error.message());
  }
  lock_ = open((folder_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) {
    refuse(folder_.string(), ": cannot be written: ", std::strerror(errno));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    close(lock_);
    refuse(folder_.string(), ": ", reason == EWOULDBLOCK ? "another process is training there" : std::strerror(reason));
  }
  try {
    begin(settings);
  } catch (...) {
    close(lock_);
    throw;
  }
}

Workspace::~Workspace() {
  if (lock_ >= 0) {
    close(lock_);
  }
}

void Workspace::begin(const Settings& settings) {
  std::error_code ignored;
  resumed_ = fs::exists(folder_ / kSettings, ignored) && !settings.fresh;
  for (const fs::directory_entry& entry : std::vector<fs::directory_entry>(fs::directory_iterator(folder_), {})) {
    const std::string name = entry.path().filename().string();
    if (name != "lock" && (!resumed_ || name.starts_with(".kinglet-"))) {
      fs::remove_all(entry.path(), ignored);
    }
  }
  if (resumed_) {
    compare(settings);
  } else {
    write_text(folder_ / kSettings, to_json(settings).dump(1) + "\n");
  }
}

void Workspace::compare(const Settings& settings) const {
  const Settings before = settings_from_json(convert::JsonObject::load(folder_ / kSettings));
  const Json old = Json::parse(fingerprint(before)), now = Json::parse(fingerprint(settings));
  std::vector<std::string> different;
  for (const auto& [key, value] : now.items()) {
    if (old[key] != value) {
      different.push_back(key + " (" + old[key].dump() + " then, " + value.dump() + " now)");
    }
  }
  if (!different.empty()) {
    refuse(folder_.string(), ": holds a run with other settings: ", convert::list_text(different),
           "; repeat that command to go on with it, or give --fresh to begin anew");
  }
}

void Workspace::finish() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace kinglet::train
