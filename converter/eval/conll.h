// Tagging data in CoNLL form, and the entities of tag sequences.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace kinglet::eval {

struct Sentence {
  size_t line = 0;  // of its first word, from 1
  std::vector<std::string> words;
  std::vector<std::string> tags;  // as many
};

// Reads a whole file: a line per word, the word first and its tag last, with TABs or spaces between the columns; an
// empty line ends a sentence. Lines that begin with -DOCSTART- are skipped, "\r\n" ends a line as "\n" does. Throws
// convert::Error "FILE:LINE: what was wrong; expected …".
std::vector<Sentence> read_conll(const std::filesystem::path& path);

// Words [begin, end) of one type.
struct WordEntity {
  std::string type;
  size_t begin = 0, end = 0;
  bool operator==(const WordEntity& other) const {
    return type == other.type && begin == other.begin && end == other.end;
  }
};

// A tag without its prefix (B-, I-, E-, L-, S-, U-); "" for O.
std::string type_of_tag(const std::string& tag);

// Entities as conlleval finds them: B and S (or U) begin one, S, U and E (or L) end one, and so does a change of type;
// an I that follows nothing of its type begins one, too. A tag without a prefix counts as I.
std::vector<WordEntity> find_entities(const std::vector<std::string>& tags);

// Counts over all sentences; the figures are fractions, 0 where they are undefined.
struct EntityCounts {
  size_t truth = 0, predicted = 0, both = 0;
  void add(const std::vector<WordEntity>& true_ones, const std::vector<WordEntity>& predicted_ones);
  double precision() const;
  double recall() const;
  double f1() const;
};

}  // namespace kinglet::eval
