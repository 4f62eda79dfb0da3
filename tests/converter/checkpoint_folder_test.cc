// Folders that kinglet writes: what went in comes out, whole or not at all, and nobody's files are touched.
#include "writer/checkpoint_folder.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>

#include "error.h"
#include "fixtures.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using convert::CheckpointFolder;

std::string write_error(const CheckpointFolder& folder, const fs::path& out) {
  try {
    convert::write_checkpoint_folder(folder, out);
    return "";
  } catch (const convert::Error& error) {
    return error.what();
  }
}

constexpr BertShape kShape = {32, 2, 2, 48, 3000, 24, 2};

struct Source {
  TemporaryFolder folder;
  Tensors tensors = random_bert(kShape, 5);
  Source() {
    write_bert(folder.path(), kShape, tensors, "BertModel");
    write_file(folder / "vocab.txt", "[UNK]\n");
    write_file(folder / "pytorch_model.bin", "other weights");
    write_file(folder / ".hidden", "");
    fs::create_directory(folder / "onnx");
    write_file(folder / "onnx/model.json", "{}");
  }
};

CheckpointFolder two_tensors() {
  CheckpointFolder folder;
  folder.config = {{"z", 1}, {"a", 2}};
  folder.tensors = {{"b", {2, 2, 3}, convert::memory_source({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 6), {}},
                    {"a", {}, convert::memory_source({0.5f}, 1), {}},
                    {"c", {0, 4}, convert::memory_source({}, 4), {}}};
  folder.files = {{"vocab.txt", "x\n"}, {"1_Pooling/config.json", "{}"}, {"gone.txt", std::nullopt}};
  return folder;
}

TEST_CASE("what is read is what is written, and other weights, hidden files and folders stay behind") {
  const Source source;
  const TemporaryFolder out;
  convert::write_checkpoint_folder(convert::read_checkpoint_folder(source.folder.path()), out / "m");
  const CheckpointFolder back = convert::read_checkpoint_folder(out / "m");
  CHECK(back.config == convert::read_checkpoint_folder(source.folder.path()).config);
  REQUIRE(back.tensors.size() == source.tensors.size());
  for (const convert::Tensor& tensor : back.tensors) {
    CHECK(tensor.shape == source.tensors.at(tensor.name).shape);
    CHECK(tensor.read_all() == source.tensors.at(tensor.name).values);
  }
  CHECK(read_file(out / "m/vocab.txt") == "[UNK]\n");
  CHECK(entries(out / "m") == 4);  // config.json, model.safetensors, vocab.txt, kinglet.json
  CHECK(entries(out.path()) == 1);
}

TEST_CASE("the weights file has an aligned header, names in order, and every shape") {
  const TemporaryFolder out;
  convert::write_checkpoint_folder(two_tensors(), out / "m");
  const std::string bytes = read_file(out / "m/model.safetensors");
  const size_t length = static_cast<unsigned char>(bytes[0]) | static_cast<unsigned char>(bytes[1]) << 8;
  CHECK(length % 8 == 0);
  const Json header = Json::parse(bytes.substr(8, length));
  CHECK(header["__metadata__"]["format"] == "pt");
  CHECK(header["a"] == Json{{"dtype", "F32"}, {"shape", Json::array()}, {"data_offsets", {0, 4}}});
  CHECK(header["b"] == Json{{"dtype", "F32"}, {"shape", {2, 2, 3}}, {"data_offsets", {4, 52}}});
  CHECK(header["c"] == Json{{"dtype", "F32"}, {"shape", {0, 4}}, {"data_offsets", {52, 52}}});
  CHECK(bytes.size() == 8 + length + 52);
  CHECK(read_file(out / "m/config.json") == "{\n  \"z\": 1,\n  \"a\": 2\n}\n");
  CHECK(read_file(out / "m/1_Pooling/config.json") == "{}");
}

TEST_CASE("modules of sentence-transformers come along, with their weights") {
  const TemporaryFolder source, out;
  fs::create_directories(source / "0_Transformer");
  fs::create_directories(source / "1_Pooling");
  fs::create_directories(source / "2_Dense");
  write_bert(source / "0_Transformer", kShape, random_bert(kShape, 1), "BertModel");
  write_file(source / "modules.json",
             R"([{"path":"0_Transformer","type":"m.Transformer"},{"path":"1_Pooling/","type":"m.Pooling"},
                 {"path":"2_Dense","type":"m.Dense"}])");
  write_file(source / "1_Pooling/config.json", R"({"word_embedding_dimension":32,"pooling_mode_mean_tokens":true})");
  write_file(source / "2_Dense/config.json", "{}");
  write_file(source / "2_Dense/pytorch_model.bin", "dense");
  CheckpointFolder folder = convert::read_checkpoint_folder(source.path());
  CHECK(folder.transformer == "0_Transformer");
  CHECK(folder.beside_config("x") == "0_Transformer/x");
  convert::write_checkpoint_folder(folder, out / "m");
  CHECK(fs::exists(out / "m/0_Transformer/model.safetensors"));
  CHECK(fs::exists(out / "m/0_Transformer/config.json"));
  CHECK(fs::exists(out / "m/1_Pooling/config.json"));
  CHECK(read_file(out / "m/2_Dense/pytorch_model.bin") == "dense");
  CHECK(entries(out / "m") == 5);
}

TEST_CASE("a folder of ours is replaced, any other one is refused and stays as it is") {
  const TemporaryFolder out;
  CheckpointFolder folder = two_tensors();
  fs::create_directory(out / "m");
  convert::write_checkpoint_folder(folder, out / "m");  // an empty folder
  folder.files["vocab.txt"] = "y\n";
  folder.files.erase("1_Pooling/config.json");
  convert::write_checkpoint_folder(folder, (out / "m").string() + "/");
  CHECK(read_file(out / "m/vocab.txt") == "y\n");
  CHECK(!fs::exists(out / "m/1_Pooling"));
  CHECK(entries(out.path()) == 1);

  write_file(out / "m/notes.txt", "mine");
  contains(write_error(folder, out / "m"), "holds \"notes.txt\", which kinglet did not write");
  fs::remove(out / "m/notes.txt");
  fs::create_directory(out / "m/1_Pool");
  contains(write_error(folder, out / "m"), "holds \"1_Pool\"");
  fs::remove(out / "m/1_Pool");
  fs::create_symlink("vocab.txt", out / "m/link");
  contains(write_error(folder, out / "m"), "holds \"link\"");
  fs::remove(out / "m/link");
  fs::remove(out / "m/kinglet.json");
  contains(write_error(folder, out / "m"), "not empty and was not written by kinglet");
  CHECK(entries(out / "m") == 3);
  CHECK(entries(out.path()) == 1);
}

TEST_CASE("outputs that cannot be, are refused before anything is written") {
  const Source source;
  const TemporaryFolder out;
  const CheckpointFolder folder = convert::read_checkpoint_folder(source.folder.path());
  contains(write_error(folder, source.folder.path()), "lies in the source");
  contains(write_error(folder, source.folder / "new"), "lies in the source");
  contains(write_error(folder, source.folder.path().parent_path()), "or around it");
  write_file(out / "file", "");
  contains(write_error(folder, out / "file"), "is a file, expected a folder");
  contains(write_error(folder, out / "no/m"), "is not a folder");
  contains(write_error(folder, "/proc/m"), "cannot be written");
  contains(write_error(folder, ""), "is empty");
  CheckpointFolder bad = two_tensors();
  bad.files["../x"] = "";
  contains(write_error(bad, out / "m"), "expected a name inside the folder");
  bad = two_tensors();
  bad.tensors.push_back(bad.tensors[0]);
  contains(write_error(bad, out / "m"), "the tensor \"b\" cannot be written");
  CHECK(entries(out.path()) == 1);
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

TEST_CASE("signals leave nothing, not even the folders inside") {
  CheckpointFolder folder = two_tensors();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder out;
    CAPTURE(signal);
    const int status = in_child([&] {
      ::signal(signal, SIG_DFL);  // doctest has handlers of its own
      convert::write_checkpoint_folder(folder, out / "m", [&](double) { raise(signal); });
      return 0;
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(entries(out.path()) == 0);
  }
}

TEST_CASE("a size limit, like a full disk, is an error at any point and leaves nothing") {
  const Source source;
  const CheckpointFolder folder = convert::read_checkpoint_folder(source.folder.path());
  const TemporaryFolder out;
  for (const rlim_t limit : {0, 1000, 100'000}) {
    CAPTURE(limit);
    const int status = in_child([&] {
      const rlimit limits = {limit, limit};
      setrlimit(RLIMIT_FSIZE, &limits);
      return write_error(folder, out / "m").find("cannot be written: File too large") != std::string::npos ? 3 : 4;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 3);
    CHECK(entries(out.path()) == 0);
  }
}

}  // namespace
}  // namespace kinglet::test
