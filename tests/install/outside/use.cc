// An outside application in C++17: embeds two texts and compares them.
#include <cmath>
#include <cstdio>
#include <kinglet.hpp>

int main(int argc, char** argv) {
  std::printf("kinglet %s\n", kinglet_version());
  if (argc < 2) return 0;
  auto model = kinglet::Model::open(argv[1]);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message().c_str());
    return 1;
  }
  auto session = kinglet::Session::create(*model);
  if (!session) {
    std::fprintf(stderr, "%s\n", session.error().message().c_str());
    return 1;
  }
  auto a = session->embed("a small bird");
  auto b = session->embed("a very small bird");
  if (!a || !b) {
    std::fprintf(stderr, "%s\n", (!a ? a : b).error().message().c_str());
    return 1;
  }
  const float self = kinglet::cosine(*a, *a), other = kinglet::cosine(*a, *b);
  std::printf("%zu numbers; cosine %.4f with itself, %.4f with the other\n", a->size(), self, other);
  return std::fabs(self - 1) < 1e-5f && other < self ? 0 : 1;
}
