// Checks the tables of BPE, and merges.
#include "tokenizer/bpe.h"

#include <cstring>

namespace kinglet {
namespace {

constexpr uint32_t kFew = 32;      // symbols that are searched one by one
constexpr uint32_t kMaxRun = 256;  // used slots in a row

}  // namespace

kinglet_status Bpe::open(const fmt::Bpe& table, uint32_t token_count, Bpe* out, Error& error) {
  Bpe bpe;
  KINGLET_TRY(Trie::open(*table.words(), token_count, "model.words", &bpe.words_, error));
  const auto& bytes = *table.bytes();
  const bool marked = (table.flags() & kMarked) != 0;
  if (bytes.size() != 256 && !(marked && bytes.size() == 0)) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.bytes has %u entries, expected 256", bytes.size());
  }
  for (uint32_t i = 0; i < bytes.size(); ++i) {
    if (bytes.data()[i] >= token_count) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.bytes[%u] is %u, expected less than %u", i,
                  bytes.data()[i], token_count);
    }
  }
  const auto& merges = *table.merges();
  for (uint32_t i = 0; i < merges.size(); ++i) {
    const fmt::Merge& merge = *merges.Get(i);
    if (merge.left() >= token_count || merge.right() >= token_count || merge.id() >= token_count) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.merges[%u] has an id that is not below %u", i,
                  token_count);
    }
  }
  // A free slot ends every search, and no search is long.
  const auto& slots = *table.slots();
  if (slots.size() == 0 || (slots.size() & (slots.size() - 1)) != 0) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.slots: %u of them, expected a power of two", slots.size());
  }
  uint32_t used = 0, run = 0, longest = 0;
  for (uint32_t i = 0; i < slots.size(); ++i) {
    const uint32_t entry = slots.data()[i];
    if (entry > merges.size()) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.slots[%u] is %u, but there are %u merges", i, entry,
                  merges.size());
    }
    used += entry != 0;
    run = entry != 0 ? run + 1 : 0;
    longest = run > longest ? run : longest;
  }
  if (used == slots.size() || longest > kMaxRun) {
    return fail(error, KINGLET_BAD_MODEL,
                "tokenizer.model.slots: %u of %u are used, up to %u in a row, expected at most %u", used, slots.size(),
                longest, kMaxRun);
  }
  if (table.max_token_bytes() > kMaxTokenBytes || table.max_token_bytes() == 0) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.max_token_bytes is %u, expected 1 to %u",
                table.max_token_bytes(), kMaxTokenBytes);
  }
  if (table.flags() > (marked ? kMarked | kFuse : kSplit | kPrefix) || (marked && (table.flags() & 3) != 0)) {
    return fail(error, KINGLET_UNSUPPORTED, "tokenizer.model has unknown flags %u", table.flags());
  }
  if (marked) {
    if (table.unknown() >= token_count) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.unknown is %u, expected less than %u", table.unknown(),
                  token_count);
    }
    KINGLET_TRY(Marking::open(table.marker(), table.marking(), 2 * Marking::kCut - 1, &bpe.marking_, error));
    bpe.unknown_ = table.unknown();
  } else {
    bpe.space_ = bytes.data()[uint8_t{' '}];
  }
  bpe.bytes_ = bytes.size() != 0 ? bytes.data() : nullptr;
  bpe.merges_ = merges.size() != 0 ? merges.Get(0) : nullptr;
  bpe.slots_ = slots.data();
  bpe.slot_mask_ = slots.size() - 1;
  bpe.flags_ = table.flags();
  *out = bpe;
  return KINGLET_OK;
}

void BpeWindow::merge(const Bpe& bpe, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; ++i) {
    id_[i] = symbol_[i];
    next_[i] = static_cast<uint16_t>(i + 1);
    previous_[i] = static_cast<uint16_t>(i - 1);
  }
  for (uint32_t i = from; i < to; ++i) {
    rank_[i] = i + 1 < to ? bpe.rank(id_[i], id_[i + 1]) : Bpe::kNone;
  }
  if (to - from <= kFew) {
    merge_few(bpe, from, to);
  } else {
    merge_many(bpe, from, to);
  }
}

void BpeWindow::merge_few(const Bpe& bpe, uint32_t from, uint32_t to) {
  for (;;) {
    uint32_t best = from;
    for (uint32_t i = next_[from]; i < to; i = next_[i]) {
      best = rank_[i] < rank_[best] ? i : best;
    }
    if (rank_[best] == Bpe::kNone) {
      return;
    }
    join(bpe, best, from, to);
  }
}

// A tournament: leaf i is symbol from + i, the parent of two nodes holds the better of their symbols.
void BpeWindow::merge_many(const Bpe& bpe, uint32_t from, uint32_t to) {
  uint32_t leaves = 1;
  while (leaves < to - from) {
    leaves *= 2;
  }
  const auto winner = [&](uint32_t node) -> uint32_t {
    return node < leaves ? tree_[node] : node - leaves + from < to ? node - leaves + from : kSize;
  };
  const auto play = [&](uint32_t node) {
    tree_[node] = static_cast<uint16_t>(better(winner(2 * node), winner(2 * node + 1)));
  };
  const auto replay = [&](uint32_t symbol) {
    for (uint32_t node = (symbol - from + leaves) / 2; node > 0; node /= 2) {
      play(node);
    }
  };
  for (uint32_t node = leaves - 1; node > 0; --node) {
    play(node);
  }
  for (;;) {
    const uint32_t best = tree_[1];
    if (rank_[best] == Bpe::kNone) {
      return;
    }
    const uint32_t gone = next_[best];
    join(bpe, best, from, to);
    replay(best);
    replay(gone);
    if (best > from) {
      replay(previous_[best]);
    }
  }
}

// Of two symbols the one to merge first; kSize is none.
uint32_t BpeWindow::better(uint32_t a, uint32_t b) const {
  return b == kSize || (a != kSize && rank_[a] <= rank_[b]) ? a : b;
}

// Merges the token at `at` with the one behind it.
void BpeWindow::join(const Bpe& bpe, uint32_t at, uint32_t from, uint32_t to) {
  const uint32_t gone = next_[at], after = next_[gone];
  id_[at] = bpe.merged(rank_[at]);
  next_[at] = static_cast<uint16_t>(after);
  rank_[gone] = Bpe::kNone;
  rank_[at] = Bpe::kNone;
  if (after < to) {
    previous_[after] = static_cast<uint16_t>(at);
    rank_[at] = bpe.rank(id_[at], id_[after]);
  }
  if (at > from) {
    const uint32_t before = previous_[at];
    rank_[before] = bpe.rank(id_[before], id_[at]);
  }
}

void BpeWindow::shift(uint32_t from) {
  std::memmove(symbol_, symbol_ + from, (size_ - from) * sizeof(symbol_[0]));
  std::memmove(begin_, begin_ + from, (size_ - from) * sizeof(begin_[0]));
  std::memmove(end_, end_ + from, (size_ - from) * sizeof(end_[0]));
  size_ -= from;
}

}  // namespace kinglet
