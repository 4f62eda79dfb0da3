// The output appears whole or not at all, and is always the same.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "error.h"
#include "fixtures.h"
#include "kinglet.h"
#include "support/paths.h"
#include "support/sanitizer.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

struct Source {
  TemporaryFolder folder;
  explicit Source(BertShape shape = {}) { write_bert(folder.path(), shape, random_bert(shape, 5), "BertModel"); }
  convert::ConvertOptions options(const fs::path& output) const {
    convert::ConvertOptions options;
    options.source = folder.path();
    options.output = output;
    return options;
  }
};

TEST_CASE("the same input gives the same bytes") {
  const Source source;
  const TemporaryFolder out;
  for (const char* precision : {"int8", "fp32"}) {
    for (const char* name : {"a.kgl", "b.kgl"}) {
      auto options = source.options(out / name);
      options.precision = precision;
      convert::convert(options);
    }
    CHECK(read_file(out / "a.kgl") == read_file(out / "b.kgl"));
  }
  CHECK(entries(out.path()) == 2);
}

TEST_CASE("the file passes its own self-test, and the result says how large it is") {
  const Source source;
  const TemporaryFolder out;
  const auto result = convert::convert(source.options(out / "a.kgl"));
  CHECK(result.output_bytes == fs::file_size(out / "a.kgl"));
  CHECK(result.source_bytes == fs::file_size(source.folder / "model.safetensors"));
  kinglet_model* model = nullptr;
  REQUIRE(kinglet_model_open_path((out / "a.kgl").c_str(), &model) == KINGLET_OK);
  CHECK(kinglet_model_self_test(model) == KINGLET_OK);
  kinglet_model_close(model);
}

TEST_CASE("progress goes from 0 to 1 and never back") {
  const Source source;
  const TemporaryFolder out;
  auto options = source.options(out / "a.kgl");
  std::vector<double> fractions;
  options.progress = [&](const std::string& what, double fraction) {
    CHECK(!what.empty());
    fractions.push_back(fraction);
  };
  convert::convert(options);
  REQUIRE(fractions.size() > 3);
  CHECK(fractions.front() == 0);
  CHECK(fractions.back() == 1);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
}

TEST_CASE("an existing file is replaced, and stays as it was when the conversion fails") {
  const Source source;
  const TemporaryFolder out;
  write_file(out / "a.kgl", "old");
  auto options = source.options(out / "a.kgl");
  options.keep_fp32 = {"nothing"};
  CHECK(convert_error(options) != "");
  CHECK(read_file(out / "a.kgl") == "old");
  options.keep_fp32 = {};
  convert::convert(options);
  CHECK(read_file(out / "a.kgl").size() > 1000);
  CHECK(entries(out.path()) == 1);
}

TEST_CASE("an error in the middle of the work leaves nothing") {
  const Source source;
  const TemporaryFolder out;
  auto options = source.options(out / "a.kgl");
  options.progress = [](const std::string&, double fraction) {
    if (fraction > 0.5) {
      throw convert::Error("stop");
    }
  };
  contains(convert_error(options), "stop");
  CHECK(entries(out.path()) == 0);
}

TEST_CASE("an output that is a directory is refused") {
  const Source source;
  const TemporaryFolder out;
  fs::create_directory(out / "a.kgl");
  contains(convert_error(source.options(out / "a.kgl")), "a.kgl: is a directory");
  contains(convert_error(source.options(out / "new/")), "expected a file");
}

TEST_CASE("an output in a folder that is not there is refused") {
  const Source source;
  const TemporaryFolder out;
  contains(convert_error(source.options(out / "no/a.kgl")), "cannot be written: no file can be made in");
}

TEST_CASE("an output in a folder that may not be written is refused") {
  const Source source;
  contains(convert_error(source.options("/proc/a.kgl")), "cannot be written");
}

TEST_CASE("an output that is a device is refused") {
  const Source source;
  contains(convert_error(source.options("/dev/full")), "/dev/full: is not a regular file");
}

TEST_CASE("an output that is a file of the checkpoint is refused") {
  const Source source;
  const std::string before = read_file(source.folder / "model.safetensors");
  contains(convert_error(source.options(source.folder / "model.safetensors")), "is a file of the checkpoint itself");
  CHECK(read_file(source.folder / "model.safetensors") == before);
}

// Runs `work` in a child process and returns its wait status.
template <typename Work>
int in_child(Work work) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(work());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// A file of some 170 kB.
constexpr BertShape kLarger = {64, 2, 1, 96, 2000, 24, 2};

TEST_CASE("a size limit, like a full disk, is an error at any point and leaves nothing") {
  const Source source(kLarger);
  const TemporaryFolder out;
  for (const rlim_t limit : {0, 1000, 10'000, 100'000}) {
    CAPTURE(limit);
    const int status = in_child([&] {
      const rlimit limits = {limit, limit};
      setrlimit(RLIMIT_FSIZE, &limits);
      try {
        convert::convert(source.options(out / "a.kgl"));
      } catch (const convert::Error& error) {
        return std::string(error.what()).find("cannot be written") != std::string::npos ? 3 : 4;
      }
      return 5;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 3);
    CHECK(entries(out.path()) == 0);
  }
}

TEST_CASE("a disk that fills up is an error and leaves nothing") {
  const TemporaryFolder out;
  if (mount("none", out.path().c_str(), "tmpfs", 0, "size=32k") != 0) {
    skipped("a disk that fills up", "a small file system cannot be mounted here (not root)");
    return;
  }
  const Source source(kLarger);
  const std::string message = convert_error(source.options(out / "a.kgl"));
  const size_t left = entries(out.path());
  umount(out.path().c_str());
  contains(message, "cannot be written: No space left on device");
  CHECK(left == 0);
}

TEST_CASE("signals leave nothing, and still end the process") {
  const Source source;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder out;
    CAPTURE(signal);
    const int status = in_child([&] {
      ::signal(signal, SIG_DFL);  // doctest has handlers of its own
      auto options = source.options(out / "a.kgl");
      options.progress = [&](const std::string&, double fraction) {
        if (fraction > 0.5) {
          raise(signal);
        }
      };
      convert::convert(options);
      return 0;
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(entries(out.path()) == 0);
  }
}

TEST_CASE("signals that the program handles itself are left to it") {
  const Source source;
  const TemporaryFolder out;
  static volatile sig_atomic_t caught;
  caught = 0;
  const auto old = signal(SIGTERM, [](int) { caught = 1; });
  auto options = source.options(out / "a.kgl");
  options.progress = [](const std::string&, double fraction) {
    if (fraction > 0.5) {
      raise(SIGTERM);
    }
  };
  convert::convert(options);
  signal(SIGTERM, old);
  CHECK(caught == 1);
  CHECK(entries(out.path()) == 1);
}

TEST_CASE("after a conversion signals do what they did before") {
  const Source source;
  const TemporaryFolder out;
  const int status = in_child([&] {
    signal(SIGTERM, SIG_DFL);
    convert::convert(source.options(out / "a.kgl"));
    for (const int number : {SIGTERM, SIGXFSZ}) {
      struct sigaction action = {};
      sigaction(number, nullptr, &action);
      if (action.sa_handler != SIG_DFL) {
        return 1;
      }
    }
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("two conversions at once do not disturb each other") {
  const Source source;
  const TemporaryFolder out;
  std::thread other([&] { convert::convert(source.options(out / "a.kgl")); });
  convert::convert(source.options(out / "b.kgl"));
  other.join();
  CHECK(read_file(out / "a.kgl") == read_file(out / "b.kgl"));
}

// Peak resident bytes of the child that converts.
TEST_CASE("memory stays below 1.5 times the checkpoint") {
  if (KINGLET_SANITIZED) {
    skipped("memory of converting MiniLM", "a sanitizer needs memory of its own");
    return;
  }
  const auto minilm = minilm_folder();
  if (!minilm) {
    skipped("memory of converting MiniLM", "KINGLET_MINILM is not set");
    return;
  }
  const TemporaryFolder out;
  const int status = in_child([&] {
    convert::ConvertOptions options;
    options.source = *minilm;
    options.output = out / "m.kgl";
    const auto result = convert::convert(options);
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024 <= result.source_bytes * 3 / 2 ? 0 : 1;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace kinglet::test
