// Standard input line by line and standard output in large pieces, both through the system's own calls.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kinglet::cli {

// Lines of standard input, of any length and number. NUL bytes are bytes like any other. A "\n" or "\r\n" ends a line
// and is not part of it; the last line needs none.
class LineReader {
 public:
  // False at the end of the input. Throws InputError when it cannot be read.
  bool next(std::string* line);
  // True when next() has something to say without waiting: a program that writes a line and waits for its answer is
  // then not kept waiting for a full batch.
  bool ready();

 private:
  bool fill();

  std::string buffer_;
  size_t begin_ = 0;    // of what is not yet handed out
  size_t scanned_ = 0;  // no "\n" in [begin_, scanned_)
  bool ended_ = false;
};

// Standard output. Throws OutputClosed when the reader has gone (EPIPE, or no standard output at all) and InputError
// on any other failure, such as a full disk.
class OutputStream {
 public:
  void write(std::string_view text);
  void flush();

 private:
  std::string buffer_;
};

// The one standard output of the process.
OutputStream& output();

// To be called first: makes sure that descriptors 0 to 2 exist, so that no file opened later becomes one of them, and
// turns SIGPIPE into an error of write().
void prepare_streams();

}  // namespace kinglet::cli
