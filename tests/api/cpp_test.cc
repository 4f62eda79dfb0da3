// kinglet.hpp as C++17 with exceptions: the common test, and value().
#include "cpp_test.h"

namespace {

void test_value(const char* path) {
  try {
    kinglet::Model::open("/no/such/file").value();
    CHECK(false);
  } catch (const kinglet::Exception& exception) {
    CHECK(exception.status() == KINGLET_IO_ERROR);
    CHECK(std::strstr(exception.what(), "/no/such/file") != nullptr);
  }
  kinglet::Model model = kinglet::Model::open(path).value();
  kinglet::Session session = kinglet::Session::create(model).value();
  CHECK(session.embed("a bird").value().size() == model.info().embedding_size);
  model.self_test().value();
  kinglet::Result<kinglet::Tokens> tokens = session.tokenize("a");
  tokens.value().ids.clear();
  CHECK(tokens->ids.empty());
  try {
    session.encode(nullptr, 1).value();
    CHECK(false);
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    test_value(argv[1]);
  }
  return run_all(argc, argv);
}
