// Standard input line by line and standard output in large pieces.
#include "cli/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "cli/command.h"

namespace kinglet::cli {

namespace {

constexpr size_t kReadSize = 1 << 16;
constexpr size_t kWriteSize = 1 << 16;

}  // namespace

bool LineReader::fill() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  const size_t old = buffer_.size();
  buffer_.resize(old + std::max(kReadSize, old / 2));  // long lines: in few calls
  ssize_t count;
  do {
    count = ::read(STDIN_FILENO, buffer_.data() + old, buffer_.size() - old);
  } while (count < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(old + (count > 0 ? static_cast<size_t>(count) : 0));
  if (count < 0) {
    throw InputError(std::string("standard input: cannot read: ") + std::strerror(error));
  }
  ended_ = count == 0;
  return !ended_;
}

bool LineReader::next(std::string* line) {
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end != std::string::npos) {
      size_t size = end - begin_;
      if (size > 0 && buffer_[end - 1] == '\r') {
        --size;
      }
      line->assign(buffer_, begin_, size);
      begin_ = scanned_ = end + 1;
      return true;
    }
    scanned_ = buffer_.size();
    if (!ended_ && fill()) {
      continue;
    }
    if (begin_ == buffer_.size()) {
      return false;
    }
    line->assign(buffer_, begin_, std::string::npos);
    begin_ = scanned_ = buffer_.size();
    return true;
  }
}

bool LineReader::ready() {
  if (ended_ || buffer_.find('\n', scanned_) != std::string::npos) {
    return true;
  }
  scanned_ = buffer_.size();
  pollfd descriptor{STDIN_FILENO, POLLIN, 0};
  return ::poll(&descriptor, 1, 0) > 0;
}

void OutputStream::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kWriteSize) {
    flush();
  }
}

void OutputStream::flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, buffer_.data() + done, buffer_.size() - done);
    if (count >= 0) {
      done += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd descriptor{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&descriptor, 1, -1);
    } else if (errno != EINTR) {
      const int error = errno;
      buffer_.clear();
      if (error == EPIPE || error == EBADF) {
        throw OutputClosed();
      }
      throw InputError(std::string("standard output: cannot write: ") + std::strerror(error));
    }
  }
  buffer_.clear();
}

OutputStream& output() {
  static OutputStream instance;
  return instance;
}

void prepare_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      // Opened the wrong way round, so that using it still fails as it would have.
      const int opened = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
      if (opened >= 0 && opened != fd) {
        ::dup2(opened, fd);
        ::close(opened);
      }
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace kinglet::cli
