// A small semantic search on kinglet.hpp: embeds a collection of sentences, ranks them for each question, and says what
// loading and embedding cost. Linked to libkinglet.so as an application would be.
//
//   kinglet_search MODEL.kgl TEXTS.tsv QUESTIONS.tsv [--check]
//
// Both lists have a header line and two columns, topic and text. With --check the exit status is 1 unless the best
// answer to every question is of the question's topic.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <kinglet.hpp>
#include <string>
#include <vector>

namespace {

struct Line {
  std::string topic, text;
};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// The lines of a TSV file after its header; empty when the file cannot be read or has a line without a tab.
std::vector<Line> read_lines(const char* path) {
  std::vector<Line> lines;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) return {};
    lines.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return lines;
}

// Memory in MiB, or 0 where the system does not say: the most that this process has held at once, and what it holds now
// without the pages of mapped files.
struct PeakMemory {
  double total = 0, own = 0;
};
PeakMemory peak_memory() {
  PeakMemory peak;
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    double kib = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lf kB", &kib) == 1) peak.total = kib / 1024;
    if (std::sscanf(line.c_str(), "RssAnon: %lf kB", &kib) == 1) peak.own = kib / 1024;
  }
  return peak;
}

int complain(const std::string& message) {
  std::fprintf(stderr, "kinglet_search: %s\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 5 && std::strcmp(argv[4], "--check") == 0;
  if (argc != 4 && !check) return complain("usage: kinglet_search MODEL.kgl TEXTS.tsv QUESTIONS.tsv [--check]");
  const std::vector<Line> texts = read_lines(argv[2]);
  const std::vector<Line> questions = read_lines(argv[3]);
  for (int i = 2; i <= 3; ++i) {
    if ((i == 2 ? texts : questions).empty()) {
      return complain(std::string(argv[i]) + ": expected a header line, then lines of topic, tab, text");
    }
  }

  auto start = std::chrono::steady_clock::now();
  auto model = kinglet::Model::open(argv[1]);
  if (!model) return complain(model.error().message());
  auto session = kinglet::Session::create(*model);
  if (!session) return complain(session.error().message());
  const double load = milliseconds_since(start);

  std::vector<std::vector<float>> embeddings;
  start = std::chrono::steady_clock::now();
  for (const Line& line : texts) {
    auto embedding = session->embed(line.text);
    if (!embedding) return complain(embedding.error().message());
    embeddings.push_back(std::move(*embedding));
  }
  const double embed = milliseconds_since(start);

  bool all_right = true;
  for (const Line& question : questions) {
    auto query = session->embed(question.text);
    if (!query) return complain(query.error().message());
    std::vector<std::pair<float, size_t>> ranking;
    for (size_t i = 0; i < texts.size(); ++i) ranking.push_back({kinglet::cosine(*query, embeddings[i]), i});
    std::sort(ranking.rbegin(), ranking.rend());

    std::printf("\n  ? %s\n", question.text.c_str());
    for (size_t i = 0; i < std::min<size_t>(3, ranking.size()); ++i) {
      const auto& [score, index] = ranking[i];
      std::printf("    %zu.  %6.3f  %s\n", i + 1, score, texts[index].text.c_str());
    }
    if (texts[ranking[0].second].topic != question.topic) {
      all_right = false;
      if (check) std::printf("       expected a sentence about %s first\n", question.topic.c_str());
    }
  }

  const PeakMemory peak = peak_memory();
  const std::string isa(kinglet::isa());
  std::printf("\n  load time          %8.1f ms   (open, check every byte, plan)\n", load);
  std::printf("  per sentence       %8.2f ms   (%zu sentences one by one, one thread, %s)\n", embed / texts.size(),
              texts.size(), isa.c_str());
  std::printf("  peak memory        %8.1f MiB  (%.1f MiB without the pages of mapped files)\n", peak.total, peak.own);
  return check && !all_right ? 1 : 0;
}
