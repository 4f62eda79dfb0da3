// Composition, the charsmap, white space.
#include "tokenizer/characters.h"

namespace kinglet {
namespace {

constexpr uint32_t kJoiner = 0x200d;

bool extends(Part part) {
  return part == Part::extend || part == Part::extend_both || part == Part::linker_both ||
         part == Part::extend_picture || part == Part::linker;
}

void set_character(Element& element, uint32_t c) {
  element.length = encode_utf8(c, element.bytes);
  element.kind = CharClass::word;
  element.combining_class = 0;
  element.continues = false;
}

}  // namespace

bool Composer::compose(const Piece& piece, Element& element) {
  if (stretch_end_ == 0 && enter(piece, element)) {
    return true;
  }
  if (stretch_end_ == 0) {
    return false;
  }
  const Piece stretch{piece.source, piece.map, stretch_end_, piece.rules};
  while (behind_ > 0) {
    Element mark;
    walk_.next(stretch, mark);
    --behind_;
    if (meet(piece, mark, base_, last_class_) == Meeting::follows) {
      take(stretch, {code_point(mark), mark.continues}, element);
      return true;
    }
  }
  Element first;
  if (!walk_.next(stretch, first)) {
    position_ = stretch_end_;
    stretch_end_ = 0;
    return compose(piece, element);
  }
  base_ = {code_point(first), first.continues};
  last_class_ = -1;
  Changed composed = base_;
  if (first.combining_class == 0) {
    Cursor look = walk_;
    int last_class = -1;
    for (Element mark; look.next(stretch, mark); ++behind_) {
      if (meet(piece, mark, composed, last_class) == Meeting::begins) {
        break;
      }
    }
  }
  take(stretch, composed, element);
  return true;
}

// Outside a stretch: returns the next character if it is left as it is; otherwise enters a stretch, or is at the end.
bool Composer::enter(const Piece& piece, Element& element) {
  if (position_ >= piece.end) {
    return false;
  }
  const CharClasses& classes = piece.rules->classes();
  const size_t begin = position_;
  size_t after = position_;
  const uint32_t c = decode(piece.source, piece.end, after);
  size_t end = after;
  bool inert = (classes.of(c) & CharClasses::kCombines) == 0;
  while (end < piece.end) {
    size_t next = end;
    if ((classes.of(decode(piece.source, piece.end, next)) & CharClasses::kCombines) == 0) {
      break;
    }
    inert = false;
    end = next;
  }
  if (inert) {
    set_character(element, c);
    element.begin = begin;
    element.end = after;
    position_ = after;
    return true;
  }
  stretch_end_ = end;
  walk_ = Cursor(begin);
  slots_ = Elements(begin);
  behind_ = 0;
  begin_ = end_ = begin;
  return false;
}

// As Recompositions of the crate unicode-normalization-alignments.
Composer::Meeting Composer::meet(const Piece& piece, const Element& element, Changed& base, int& last_class) const {
  const int combining_class = element.combining_class;
  if (last_class < combining_class) {
    if (const uint32_t composite = piece.rules->compose(base.code_point, code_point(element))) {
      base = {composite, base.change + element.continues - 1};
      return Meeting::joins;
    }
  }
  if (combining_class == 0) {
    return Meeting::begins;
  }
  last_class = combining_class;
  return Meeting::follows;
}

void Composer::take(const Piece& piece, const Changed& what, Element& element) {
  const auto use = [&] {
    for (Element slot; slots_.next(piece, slot);) {
      if (!slot.continues) {
        begin_ = slot.begin;
        end_ = slot.end;
        return;
      }
    }
  };
  set_character(element, what.code_point);
  if (what.change <= 0) {
    use();
  }
  element.begin = begin_;
  element.end = end_;
  for (int64_t more = what.change; more < 0; ++more) {
    use();
  }
}

void Mapper::Boundary::pass(uint32_t c, Part now) {
  carriage_return = c == '\r';
  if (now == Part::picture) {
    picture = 1;
  } else if (picture != 0) {
    const bool stays = now == Part::extend_both || now == Part::linker_both || now == Part::extend_picture;
    picture = picture == 1 && c == kJoiner ? 2 : picture == 1 && stays ? 1 : c != kJoiner && stays ? 1 : 0;
  }
  if (now == Part::consonant) {
    conjunct = 1;
  } else if (conjunct != 0) {
    const bool links = now == Part::linker_both || now == Part::linker;
    conjunct = links ? 2 : now == Part::extend_both ? conjunct : 0;
  }
  part = now;
}

bool Mapper::Boundary::joins(uint32_t c, Part next) const {
  if (part == Part::control || next == Part::control) {
    return carriage_return && c == '\n';
  }
  if (extends(next) || part == Part::prepend) {
    return true;
  }
  switch (next) {
    case Part::l:
    case Part::lv:
    case Part::lvt:
      return part == Part::l;
    case Part::v:
      return part == Part::l || part == Part::lv || part == Part::v;
    case Part::t:
      return part == Part::lv || part == Part::v || part == Part::lvt || part == Part::t;
    case Part::picture:
      return picture == 2;
    case Part::consonant:
      return conjunct == 2;
    default:
      return false;
  }
}

// Sees to it that ahead_[index] is there. False at the end of the piece.
bool Mapper::look(const Piece& piece, uint8_t index) {
  while (ahead_count_ <= index && !up_ended_) {
    if (up_.next(piece, ahead_[ahead_count_])) {
      ++ahead_count_;
    } else {
      up_ended_ = true;
    }
  }
  return index < ahead_count_;
}

void Mapper::drop(uint8_t count) {
  ahead_count_ = static_cast<uint8_t>(ahead_count_ - count);
  for (uint8_t i = 0; i < ahead_count_; ++i) {
    ahead_[i] = ahead_[i + count];
  }
}

// Loads the next part: a cluster that is mapped as a whole, or one character. False at the end.
bool Mapper::load(const Piece& piece) {
  if (!look(piece, 0)) {
    return false;
  }
  const CharClasses& classes = piece.rules->classes();
  const auto part_of = [&](const Element& element) { return CharClasses::part(classes.of(code_point(element))); };
  has_part_ = true;
  part_used_ = 0;
  mapped_ = false;
  in_cluster_ = in_cluster_ && boundary_.joins(code_point(ahead_[0]), part_of(ahead_[0]));
  if (!in_cluster_) {
    Boundary boundary;
    uint8_t bytes[kClusterBytes + 4];
    size_t size = 0;
    uint8_t count = 0;
    do {
      const Element& element = ahead_[count];
      boundary.pass(code_point(element), part_of(element));
      for (uint8_t i = 0; i < element.length; ++i) {
        bytes[size++] = element.bytes[i];
      }
      ++count;
      // Not looked at, so that what follows can still be passed quickly.
      if (count == ahead_count_ && boundary.part != Part::prepend && up_.before_ascii(piece)) {
        break;
      }
    } while (size < kClusterBytes && look(piece, count) &&
             boundary.joins(code_point(ahead_[count]), part_of(ahead_[count])));
    if (size < kClusterBytes) {
      text_ = piece.rules->mapped(bytes, size, &text_left_);
      if (text_ != nullptr) {
        mapped_ = true;
        part_count_ = count;
        for (uint8_t i = 0; i < count; ++i) {
          part_[i] = ahead_[i];
        }
        drop(count);
        return true;
      }
    }
    boundary_ = Boundary();
    in_cluster_ = true;
  }
  boundary_.pass(code_point(ahead_[0]), part_of(ahead_[0]));
  part_[0] = ahead_[0];
  part_count_ = 1;
  drop(1);
  text_ = piece.rules->mapped(part_[0].bytes, part_[0].length, &text_left_);
  mapped_ = text_ != nullptr;
  text_left_ = mapped_ ? text_left_ : 1;
  return true;
}

void Mapper::copy(const Mapper& other) {
  for (uint8_t i = 0; i < other.ahead_count_; ++i) {
    ahead_[i] = other.ahead_[i];
  }
  for (uint8_t i = 0; other.has_part_ && i < other.part_count_; ++i) {
    part_[i] = other.part_[i];
  }
  ahead_count_ = other.ahead_count_;
  up_ended_ = other.up_ended_;
  in_cluster_ = other.in_cluster_;
  boundary_ = other.boundary_;
  part_count_ = other.part_count_;
  part_used_ = other.part_used_;
  has_part_ = other.has_part_;
  mapped_ = other.mapped_;
  text_ = other.text_;
  text_left_ = other.text_left_;
  begin_ = other.begin_;
  end_ = other.end_;
  any_ = other.any_;
  lags_ = other.lags_;
  start_ = other.start_;
  if (lags_) {
    slots_ = other.slots_;
  }
}

// Uses up the range of the next source character, which is that of `source` unless ranges lag.
void Mapper::use(const Piece& piece, const Element& source) {
  Element slot;
  if (lags_ && slots_.next(piece, slot)) {
    begin_ = slot.begin;
    end_ = slot.end;
  } else if (!lags_) {
    begin_ = source.begin;
    end_ = source.end;
  }
}

// Uses up the source characters of the part that nothing stands for.
void Mapper::finish(const Piece& piece) {
  if (any_) {
    while (part_used_ < part_count_) {
      use(piece, part_[part_used_++]);
    }
  } else if (part_used_ < part_count_) {
    // `tokenizers` subtracts what is removed from the last character before, and there is none.
    lags_ = true;
    slots_ = Composer(start_);
  }
  has_part_ = false;
}

bool Mapper::map(const Piece& piece, Element& element) {
  for (;;) {
    if (!has_part_ && !load(piece)) {
      return false;
    }
    if (mapped_ && text_left_ == 0) {
      finish(piece);
      continue;
    }
    const bool is_new = part_used_ == part_count_;
    if (!is_new) {
      use(piece, part_[part_used_++]);
    }
    any_ = true;
    if (mapped_) {
      const Source text({}, std::string_view(reinterpret_cast<const char*>(text_), text_left_));
      size_t length = 0;
      set_character(element, decode(text, text_left_, length));
      text_ += length;
      text_left_ -= static_cast<uint32_t>(length);
    } else {
      element = part_[0];
      text_left_ = 0;
    }
    if (text_left_ == 0) {
      element.begin = begin_;
      element.end = end_;
      finish(piece);
      // A new character counts as a replacement after all when what follows is removed.
      if (is_new && load(piece) && mapped_ && text_left_ == 0) {
        use(piece, part_[part_used_++]);
        element.begin = begin_;
        element.end = end_;
        finish(piece);
      }
      return true;
    }
    element.begin = begin_;
    element.end = end_;
    return true;
  }
}

// Here, for they are long and many places copy.
Characters::Characters(const Characters& other) = default;
Characters& Characters::operator=(const Characters& other) = default;

bool Characters::next(const Piece& piece, Element& element) {
  const Rules& rules = *piece.rules;
  if (rules.identity()) {
    if (position_ >= piece.end) {
      return false;
    }
    element.begin = position_;
    const uint8_t byte = piece.source[position_];
    if (byte < 0x80) {
      element.bytes[0] = byte;
      element.length = 1;
      ++position_;
    } else {
      element.length = encode_utf8(decode(piece.source, piece.end, position_), element.bytes);
    }
    element.end = position_;
    ++index_;
    return true;
  }
  if (index_ == 0 && (rules.strip() & Rules::kPrepend) != 0) {
    Mapper look = up_;
    if (!look.next(piece, element)) {
      return false;
    }
    set_character(element, rules.space());
    ++index_;
    return true;
  }
  if (!has_ahead_ && !ended_ && up_.plain(piece, element)) {
    ++index_;
    ++pulled_;
    at_begin_ = false;
    return true;
  }
  if (rules.collapse() == Rules::kKeep && (rules.strip() & (Rules::kLeft | Rules::kRight)) == 0) {
    const bool more = up_.next(piece, element);
    index_ += more;
    return more;
  }
  return next_slowly(piece, element);
}

bool Characters::pull(const Piece& piece, Element& element) {
  if (has_ahead_) {
    has_ahead_ = false;
    element = ahead_;
    return true;
  }
  if (ended_ || !up_.next(piece, element)) {
    ended_ = true;
    return false;
  }
  ++pulled_;
  const uint8_t strip = piece.rules->strip();
  if ((strip & Rules::kLeft) != 0 && at_begin_) {
    while (stripped(piece, element)) {
      if (!up_.next(piece, element)) {
        ended_ = true;
        return false;
      }
      ++pulled_;
    }
    at_begin_ = false;
  }
  if ((strip & Rules::kRight) != 0 && pulled_ > kept_ && stripped(piece, element)) {
    Mapper look = up_;
    Element other;
    kept_ = pulled_;
    do {
      if (!look.next(piece, other)) {
        ended_ = true;
        return false;
      }
      ++kept_;
    } while (stripped(piece, other));
  }
  return true;
}

bool Characters::stripped(const Piece& piece, const Element& element) const {
  return (piece.rules->classes().of(code_point(element)) & CharClasses::kStripped) != 0;
}

bool Characters::next_slowly(const Piece& piece, Element& element) {
  if (!pull(piece, element)) {
    return false;
  }
  ++index_;
  const uint8_t collapse = piece.rules->collapse();
  const auto collapses = [&](const Element& other) {
    return collapse == Rules::kSpaces
               ? other.length == 1 && other.bytes[0] == ' '
               : CharClasses::letter(piece.rules->classes().of(code_point(other))) == Letter::space;
  };
  if (collapse == Rules::kKeep || !collapses(element)) {
    return true;
  }
  bool replace = collapse == Rules::kWhiteSpace && element.length == 1 &&
                 (element.bytes[0] == '\n' || element.bytes[0] == '\r' || element.bytes[0] == '\t');
  while (pull(piece, ahead_)) {
    if (!collapses(ahead_)) {
      has_ahead_ = true;
      break;
    }
    // `tokenizers` aligns what replaces a match with the last character of it.
    element = ahead_;
    replace = true;
  }
  if (replace) {
    set_character(element, piece.rules->space());
  }
  return true;
}

void strip_piece(const Source& source, const Rules& rules, size_t& begin, size_t& end) {
  size_t last = begin;
  bool kept = false;
  for (size_t at = begin; at < end;) {
    const size_t here = at;
    if ((rules.classes().of(decode(source, end, at)) & CharClasses::kStripped) != 0) {
      continue;
    }
    if (!kept && (rules.strip() & Rules::kLeftBefore) != 0) {
      begin = here;
    }
    kept = true;
    last = at;
  }
  end = (rules.strip() & Rules::kRightBefore) != 0 ? last : end;
  begin = kept || (rules.strip() & Rules::kLeftBefore) == 0 ? begin : end;
}

}  // namespace kinglet
