// Atomic output of a folder.
#include "writer/output_folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "kinglet.h"
#include "writer/cleanup.h"
#include "writer/durable.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

constexpr char kList[] = "kinglet.json";

// The place without links, dots and a slash at the end: the temporary folder must lie beside it, on one file system.
fs::path resolve(const fs::path& path) {
  if (path.empty()) {
    refuse("the output folder's path is empty");
  }
  std::error_code error;
  fs::path whole = fs::weakly_canonical(fs::absolute(path), error);
  if (error) {
    refuse(path.string(), ": cannot be written: ", error.message());
  }
  return whole.filename().empty() ? whole.parent_path() : whole;
}

// Holds fatal signals back while it lives: the handler's list describes the folders before or after, not between.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&signals, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Gives each of two folders the other's name, at once; false where the system cannot.
bool exchange(const fs::path& a, const fs::path& b) {
#if defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kExchange = 2;
  return syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), kExchange) == 0;
#else
  return a == b;
#endif
}

// The files that an earlier run put there; nothing when the folder does not say.
std::optional<std::set<std::string>> listed_files(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(folder / kList, ignored))) {
    return std::nullopt;
  }
  const JsonObject list = JsonObject::load(folder / kList);
  const Json* files = list.find("files");
  if (files == nullptr || !files->is_array()) {
    list.refuse_field("files", "the list of files that kinglet wrote");
  }
  std::set<std::string> names = {kList};
  for (const Json& name : *files) {
    names.insert(name.is_string() ? name.get<std::string>() : std::string());
  }
  return names;
}

}  // namespace

void OutputFolder::check(const fs::path& given) {
  const fs::path path = resolve(given);
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status)) {
    if (!fs::is_directory(path.parent_path(), error)) {
      refuse(given.string(), ": cannot be written: ", path.parent_path().string(), " is not a folder");
    }
    return;
  }
  if (!fs::is_directory(status)) {
    refuse(given.string(), ": is a file, expected a folder to write");
  }
  if (fs::is_empty(path)) {
    return;
  }
  const auto ours = listed_files(path);
  if (!ours) {
    refuse(given.string(), ": is not empty and was not written by kinglet, expected a new or an empty folder");
  }
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    const std::string name = entry.path().lexically_relative(path).generic_string();
    if (fs::is_directory(entry.symlink_status())) {
      const auto below = ours->lower_bound(name + '/');
      if (below != ours->end() && below->starts_with(name + '/')) {
        continue;
      }
    } else if (fs::is_regular_file(entry.symlink_status()) && ours->count(name) != 0) {
      continue;
    }
    refuse(given.string(), ": holds ", quote(name), ", which kinglet did not write; expected a new or an empty folder");
  }
}

OutputFolder::OutputFolder(const fs::path& path) : path_(resolve(path)) {
  check(path);
  static std::atomic<unsigned> counter = 0;
  int error = 0;
  do {
    temporary_ =
        path_.parent_path() / (".kinglet-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".d");
    for (const int slot : slots_) {
      forget_file(slot);
    }
    slots_.clear();
    remember(temporary_.string());
    error = mkdir(temporary_.c_str(), 0777) == 0 ? 0 : errno;
  } while (error == EEXIST);
  if (error != 0) {
    for (const int slot : slots_) {
      forget_file(slot);
    }
    refuse(path.string(), ": cannot be written: no folder can be made in ", path_.parent_path().string(), ": ",
           std::strerror(error));
  }
}

OutputFolder::~OutputFolder() {
  if (fd_ >= 0) {
    close(fd_);
  }
  if (!committed_) {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  }
  for (const int slot : slots_) {
    forget_file(slot);
  }
}

// Entered before there is anything of that name: a signal in between finds nothing to remove.
void OutputFolder::remember(const std::string& path) {
  remembered_.push_back(path);
  const int slot = remember_file(remembered_.back().c_str());
  if (slot < 0) {
    refuse(path_.string(), ": the folder would have too many files");
  }
  slots_.push_back(slot);
}

void OutputFolder::make_parents(const std::string& name) {
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string folder = name.substr(0, slash);
    if (folders_.insert(folder).second) {
      remember((temporary_ / folder).string());
      if (mkdir((temporary_ / folder).c_str(), 0777) != 0) {
        fail(errno);
      }
    }
  }
}

void OutputFolder::begin(const std::string& name) {
  const fs::path relative(name);
  bool inside = !name.empty() && relative.is_relative() && relative.has_filename();
  for (const fs::path& part : relative) {
    inside = inside && part != ".." && part != ".";
  }
  if (!inside || name == kList) {
    refuse(path_.string(), ": the file ", quote(name), " cannot be written, expected a name inside the folder");
  }
  if (!files_.insert(name).second) {
    refuse(path_.string(), ": the file ", quote(name), " would be written twice");
  }
  make_parents(name);
  remember((temporary_ / name).string());
  fd_ = open((temporary_ / name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    fail(errno);
  }
}

void OutputFolder::write(const void* data, size_t size) {
  const int error = write_all(
      data, size, [&](const char* bytes, size_t left, size_t) { return ::write(fd_, bytes, left); });
  if (error != 0) {
    fail(error);
  }
}

void OutputFolder::end() {
  if (const int error = flush_and_close(&fd_); error != 0) {
    fail(error);
  }
}

void OutputFolder::add(const std::string& name, const std::string& bytes) {
  begin(name);
  write(bytes.data(), bytes.size());
  end();
}

void OutputFolder::sync_folders() const {
  for (const std::string& folder : folders_) {
    flush_names(temporary_ / folder);
  }
  flush_names(temporary_);
}

void OutputFolder::commit(Json facts) {
  facts["files"] = files_;
  const std::string text = facts.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  remember((temporary_ / kList).string());
  fd_ = open((temporary_ / kList).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    fail(errno);
  }
  write(text.data(), text.size());
  end();
  sync_folders();
  check(path_);  // again: someone may have put something there
  take_place();
  flush_names(path_.parent_path());
}

void OutputFolder::take_place() {
  const SignalsHeld held;
  if (std::rename(temporary_.c_str(), path_.c_str()) == 0) {  // nothing there, or an empty folder
    committed_ = true;
    return;
  }
  if (errno != ENOTEMPTY && errno != EEXIST) {
    fail(errno);
  }
  fs::path old = temporary_;
  if (!exchange(temporary_, path_)) {
    old += "-old";
    if (std::rename(path_.c_str(), old.c_str()) != 0) {
      fail(errno);
    }
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      const int error = errno;
      std::rename(old.c_str(), path_.c_str());
      fail(error);
    }
  }
  committed_ = true;
  std::error_code ignored;
  fs::remove_all(old, ignored);
}

void OutputFolder::fail(int error) const {
  refuse(path_.string(), ": cannot be written: ", std::strerror(error), "; nothing was left behind");
}

}  // namespace kinglet::convert
