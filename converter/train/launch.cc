// exec, fork, and signals that are handed on.
#include "train/launch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/text.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::refuse;

const char* const kGetTrainer =
    "kinglet-train, which training needs, is neither beside kinglet nor on the PATH. On Debian: apt-get install "
    "libtorch-dev libopenblas0-pthread, then build kinglet again";

namespace {

constexpr const char* kName = "kinglet-train";

volatile std::sig_atomic_t child_process = 0;

extern "C" void hand_on(int signal) {
  if (child_process > 0) {
    kill(static_cast<pid_t>(child_process), signal);
  }
}

// libtorch's threads would wait in a loop, which on shared processors takes time from those that work.
void set_environment(const Settings& settings) {
  // libtorch does not tell OpenBLAS, whose threads otherwise are as many as the processors.
  const std::string threads = std::to_string(settings.threads);
  if (setenv("OMP_WAIT_POLICY", "passive", 0) != 0 || setenv("OPENBLAS_NUM_THREADS", threads.c_str(), 0) != 0) {
    refuse("cannot set the environment: ", std::strerror(errno));
  }
}

// `json` must outlive the result's use.
std::array<char*, 4> arguments_of(const std::string& json) {
  return {const_cast<char*>(kName), const_cast<char*>("--settings"), const_cast<char*>(json.c_str()), nullptr};
}

// SIGINT and SIGTERM go to the child while this exists.
class HandingOn {
 public:
  HandingOn() {
    struct sigaction action = {};
    action.sa_handler = hand_on;
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  HandingOn(const HandingOn&) = delete;
  HandingOn& operator=(const HandingOn&) = delete;
  ~HandingOn() {
    child_process = 0;
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }

 private:
  struct sigaction interrupt_ = {}, terminate_ = {};
};

}  // namespace

std::optional<fs::path> find_trainer() {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path() / kName;
  if (!error && access(here.c_str(), X_OK) == 0) {
    return here;
  }
  const char* path = std::getenv("PATH");
  for (std::string_view rest = path != nullptr ? path : ""; !rest.empty();) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, end)) / kName;
    if (end > 0 && access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

void become_trainer(const Settings& settings) {
  const std::optional<fs::path> trainer = find_trainer();
  if (!trainer) {
    refuse(kGetTrainer);
  }
  set_environment(settings);
  const std::string json = to_json(settings).dump();
  execv(trainer->c_str(), arguments_of(json).data());
  refuse(kName, ": cannot be started: ", std::strerror(errno));
}

int run_trainer(const fs::path& trainer, const Settings& settings) {
  set_environment(settings);
  const std::string json = to_json(settings).dump();
  const auto arguments = arguments_of(json);
  const HandingOn handing_on;
  const pid_t child = fork();
  if (child < 0) {
    refuse(kName, ": cannot be started: ", std::strerror(errno));
  }
  if (child == 0) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
      dup2(nowhere, STDOUT_FILENO);
    }
    execv(trainer.c_str(), arguments.data());
    _exit(127);
  }
  child_process = child;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      refuse(kName, ": cannot be waited for: ", std::strerror(errno));
    }
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace kinglet::train
